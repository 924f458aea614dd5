/** Settings that a configuration calls otherwise than the library, or that stand elsewhere in it. */
const renamed: Readonly<Record<string, string>> = {
  paddle1x: 'compat: paddle1x',
  'compressor.epochs': 'compressor.epoch',
  'training.epochs': 'compressor.epoch',
  'training.evaluateEvery': 'compressor.eval_epoch',
  // A schedule's are those of all epochs.
  'training.decay.steps': 'compressor.epoch',
  'training.optimizer.rule': 'training.optimizer',
  'training.optimizer.maxNorm': 'training.max_norm',
  'training.optimizer.average': 'training.average',
  'training.groups.weightDecay': 'training.weight_decay',
  'training.groups.backboneRate': 'training.backbone_rate',
  'training.loss.classes': 'training.loss',
  'training.loss.overlap': 'training.overlap',
  'training.loss.teacher.classWeight': 'training.teacher_classes',
  'training.loss.teacher.boxWeight': 'training.teacher_boxes',
  'training.loss.teacher.featureWeight': 'training.teacher_features',
  'training.loss.teacher.temperature': 'training.temperature',
};

/** Options of this package's strategies likewise; where several settings make one, those. */
const renamedOptions: Readonly<Record<string, string>> = {
  steps: 'num_steps',
  file: 'sensitivities_file',
  ratios: 'delta_rate',
  criterion: "the pruner's criterions",
  target: 'target_latency',
};

/** Whose options those are; callers' own classes call theirs as their keys. */
const ownClasses: ReadonlySet<string> = new Set(
  ['Uniform', 'Sensitive', 'Iterative', 'Latency', 'Auto'].map((name) => `${name}PruneStrategy`),
);

/** The strategies that places number. */
interface NumberedStrategies {
  strategies: readonly string[];
  settings: Readonly<Record<string, unknown>>;
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * What a configuration calls a setting. Strategies' own keys come behind the strategy's name, `first: target_ratio`, as
 * in all messages.
 * @param place in a `RunConfig`, such as `compressor.epochs`
 * @param run its strategies' names, and all of its settings by their places
 */
export function settingKey(place: string, run: NumberedStrategies = { strategies: [], settings: {} }): string {
  const own = /^compressor\.strategies\.(\d+)\.(?:options\.)?(.+)$/.exec(place);
  if (own) {
    const [, number, key] = own;
    const [option] = key!.split('.');
    const ours = ownClasses.has(run.settings[`compressor.strategies.${number}.class`] as string);
    return `${run.strategies[Number(number)]}: ${(ours && renamedOptions[option!]) || snake(key!)}`;
  }
  return renamed[place] ?? renamed[place.replace(/^training\.(?=teacher\.)/, 'training.loss.')] ?? snake(place);
}

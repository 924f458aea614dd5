/** Settings that a configuration calls otherwise than the library, or that stand elsewhere in it. */
const renamed: Readonly<Record<string, string>> = {
  paddle1x: 'compat: paddle1x',
  'compressor.epochs': 'compressor.epoch',
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

/** Strategies' options likewise; where several settings make one, those. */
const renamedOptions: Readonly<Record<string, string>> = {
  steps: 'num_steps',
  file: 'sensitivities_file',
  ratios: 'delta_rate',
  criterion: "the pruner's criterions",
  target: 'target_latency',
};

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * What a configuration calls a setting. Strategies' own keys come behind the strategy's name, `first: target_ratio`, as
 * in all messages.
 * @param place in a `RunConfig`, such as `compressor.epochs`
 * @param strategies names of the strategies that places number
 */
export function settingKey(place: string, strategies: readonly string[]): string {
  const own = /^compressor\.strategies\.(\d+)\.(?:options\.)?(.+)$/.exec(place);
  if (own) {
    const [option] = own[2]!.split('.');
    return `${strategies[Number(own[1])]}: ${renamedOptions[option!] ?? snake(own[2]!)}`;
  }
  return renamed[place] ?? renamed[place.replace(/^training\.(?=teacher\.)/, 'training.loss.')] ?? snake(place);
}

import { counted } from '../counted';
import { nearest } from '../nearest';
import { describePlace, keyPlace, type Located, type Path, valuePlace } from './located';
import { lossesFile } from './losses-file';
import type { Problems } from './problems';
import { epochsOf, type Sections } from './sections';

/** Checks what only several keys together say; sections that are wrong themselves are passed over. */
export function checkTogether(sections: Sections, root: Located, problems: Problems, warnings: string[]): void {
  const refuse = (path: Path, message: string) => problems.add(valuePlace(root, path), message);
  checkTraining(sections, refuse);
  checkEvaluation(sections, refuse);
  checkStrategies(sections, root, refuse, warnings);
  checkJudged(sections, refuse);
  const { output } = sections;
  if (output && output.page !== null && output.report === null) {
    refuse(['output', 'page'], 'the page shows output.report: name that, too');
  }
  if (typeof output?.page === 'string' && !/\.html?$/i.test(output.page)) {
    refuse(['output', 'page'], `Expected a name that ends in .html for output.page but received ${output.page}`);
  }
}

type Refuse = (path: Path, message: string) => void;

function checkTraining({ training, model, compressor, strategies }: Sections, refuse: Refuse): void {
  if (!training) return;
  const { batch_size: batch, micro_batch: micro, heads_first: headsFirst, labels } = training;
  if (micro !== undefined && batch % micro !== 0) {
    refuse(
      ['training', 'micro_batch'],
      `Expected a divisor of batch_size (${batch}) for training.micro_batch but received ${micro}`,
    );
  }
  const epochs = compressor ? epochsOf({ compressor, strategies }) : Number.POSITIVE_INFINITY;
  if (headsFirst > epochs) {
    refuse(['training', 'heads_first'], `heads_first is ${headsFirst}, and the run has ${counted(epochs, 'epoch')}`);
  }
  if (model?.teacher === null && (training.teacher_features ?? 0) > 0) {
    refuse(['training', 'teacher_features'], 'a weight for its inner maps needs a teacher, and model.teacher is none');
  }
  if (labels !== 'none') return;
  if (model?.teacher === null)
    refuse(['training', 'labels'], 'without labels a teacher is needed, and model.teacher is none');
  if (training.teacher_classes === 0 && training.teacher_boxes === 0 && training.teacher_features === 0) {
    refuse(
      ['training', 'labels'],
      'without labels a teacher is needed, and teacher_classes, teacher_boxes and teacher_features are 0',
    );
  }
}

function checkEvaluation({ evaluation }: Sections, refuse: Refuse): void {
  if (evaluation?.protocol !== 'coco') return;
  for (const key of ['ap_version', 'overlap_threshold'] as const) {
    if (evaluation[key] !== undefined) refuse(['evaluation', key], `protocol coco has its own: leave ${key} off`);
  }
}

function checkStrategies(sections: Sections, root: Located, refuse: Refuse, warnings: string[]): void {
  const { compressor, strategies, strategyNames } = sections;
  if (!compressor) return;
  const used = compressor.strategies;
  for (const [i, name] of used.entries()) {
    const at = [compressor.name, 'strategies', i];
    if (!strategyNames.includes(name)) {
      const meant = nearest(name, strategyNames);
      refuse(at, `there is no strategy ${name}${meant === undefined ? '' : `: did you mean ${meant}?`}`);
    } else if (used.indexOf(name) < i) refuse(at, `the strategy ${name} stands here a second time`);
  }
  for (const name of strategyNames) {
    if (used.includes(name)) continue;
    const where = describePlace(keyPlace(root, ['strategies', name]));
    warnings.push(`${where}: the strategy ${name} is not used: ${compressor.name}.strategies doesn't name it`);
  }
  if (used.length === 0) {
    const where = describePlace(keyPlace(root, [compressor.name]));
    warnings.push(`${where}: nothing is cut: ${compressor.name}.strategies names no strategy`);
  }
  checkLossFiles(sections, refuse);
  const epochs = epochsOf({ compressor, strategies });
  for (const name of used) {
    const strategy = strategies.get(name);
    const start = strategy?.options.startEpoch;
    if (typeof start !== 'number') continue;
    const steps = strategy?.class === 'SensitivePruneStrategy' ? (strategy.options.steps as number) : 1;
    if (start < epochs && start + steps > epochs) {
      refuse(
        ['strategies', name, 'num_steps'],
        `num_steps is ${steps}, one an epoch at most, from epoch ${start} on, and the run has ${counted(epochs, 'epoch')}`,
      );
    }
    if (start < epochs) continue;
    refuse(
      ['strategies', name, 'start_epoch'],
      `start_epoch is ${start}, and the run has ${counted(epochs, 'epoch')}, ${epochs === 1 ? 'number 0' : `from 0 to ${epochs - 1}`}: it would never begin`,
    );
  }
}

/** Losses are of the network as a strategy finds it: no two can share them. */
function checkLossFiles({ compressor, strategies }: Sections, refuse: Refuse): void {
  const taken = new Map<string, string>();
  for (const name of new Set(compressor?.strategies)) {
    const strategy = strategies.get(name);
    const file = strategy && lossesFile(strategy);
    if (file === undefined) continue;
    const other = taken.get(file);
    if (other !== undefined) {
      refuse(
        ['strategies', name, 'sensitivities_file'],
        `${other} keeps the losses of its own network in ${file}, too: name another file for one of them`,
      );
    } else taken.set(file, name);
  }
}

/** What chooses by pictures held back needs some; found here, and not when its epoch has come. */
function checkJudged({ compressor, strategies, training }: Sections, refuse: Refuse): void {
  if (training?.held_back !== 0) return;
  const classes = ['AutoPruneStrategy', 'SensitivePruneStrategy'];
  const judging = compressor?.strategies.find((name) => classes.includes(strategies.get(name)?.class ?? ''));
  if (judging !== undefined) refuse(['training', 'held_back'], `${judging} chooses by pictures held back: hold some`);
}

import type { RunConfig } from '../../config/config';
import { counted } from '../../counted';
import type { Fact } from './contents';

/** What a run was told to do, before there is a report of what it did. */
export function configFacts(config: RunConfig): Fact[] {
  const { model, data, output, compressor, training } = config;
  return [
    ['Configuration', config.file],
    ['Model', model.file],
    ['Begun with', compressor.initModel],
    ['Output', output.model],
    ['Teacher', model.teacher],
    ...compressor.strategies.map(
      ({ name, class: kind, options }): Fact => [
        `Strategy ${name}`,
        [kind, ...Object.entries(options).map(([key, value]) => `${key} ${inWords(value)}`)].join(', '),
      ],
    ),
    ['Data', data.folder],
    ['Trained on', data.train ?? 'all'],
    ['Held back of these', training.heldBack === undefined ? null : String(training.heldBack)],
    ['Evaluated on', data.evaluation],
    ['Length', counted(compressor.epochs, 'epoch')],
    ['Checkpoints', compressor.checkpoints.folder],
  ];
}

const inWords = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

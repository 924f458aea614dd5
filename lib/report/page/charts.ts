import type { RunHistory } from '../run-history';
import { lossParts } from '../step-means';
import type { Contents, ScoredEpoch } from './contents';
import { score } from './format';
import { type Html, html } from './html';
import { type ChartOptions, lineChart } from './line-chart';

type Cuts = NonNullable<Contents['cuts']>;

const marksOf = (cuts: Cuts) => cuts.map(({ epoch, label }) => ({ x: epoch, label }));

/** mAP on the evaluation split and on the pictures held back, with the cuts. */
export function scoreCharts({ evaluated, heldBack, cuts, evaluation }: Contents): Html | undefined {
  const points = (scores: readonly ScoredEpoch[]) =>
    scores.flatMap((score, i) =>
      score.map === null ? [] : [{ x: score.epoch, y: score.map, what: whatOf(scores, i, cuts) }],
    );
  const common = { x: 'epochs', y: 'mAP', marks: marksOf(cuts), format: score };
  return grid([
    {
      ...common,
      title: `mAP on ${evaluation ?? 'the evaluation split'}`,
      series: [{ name: 'evaluation split', points: points(evaluated), dots: true }],
    },
    {
      ...common,
      title: 'mAP on the training pictures held back',
      series: [{ name: 'held back', points: points(heldBack), dots: true }],
    },
  ]);
}

/** Which network was scored; empty where nobody can know. */
function whatOf(scores: readonly ScoredEpoch[], i: number, cuts: Cuts): string {
  const { epoch, stage } = scores[i]!;
  const words = { start: 'start', cut: 'behind a cut', epoch: 'epoch' };
  if (stage) return words[stage];
  const whole = epoch === 0 ? words.start : words.epoch;
  if (!cuts.some((cut) => cut.epoch === epoch)) return whole;
  // What is held back judges each network that is trained, right behind its cut, and before it where an epoch ended.
  if (scores[i - 1]?.epoch === epoch) return words.cut;
  if (scores[i + 1]?.epoch === epoch) return whole;
  return i + 1 < scores.length ? words.cut : '';
}

const lossNames = {
  total: 'all',
  classes: 'classes',
  boxes: 'boxes',
  teacherClasses: 'teacher’s classes',
  teacherBoxes: 'teacher’s boxes',
  teacherFeatures: 'teacher’s features',
};

/** Loss, learning rate, gradients and speed over the epochs. */
export function trainingCharts({ points }: Pick<RunHistory, 'points'>, cuts: Cuts): Html | undefined {
  const common = { x: 'epochs', marks: marksOf(cuts) };
  const one = (name: string, y: (point: RunHistory['points'][number]) => number) => [
    { name, points: points.map((point) => ({ x: point.epoch, y: y(point) })) },
  ];
  const parts = lossParts.filter((part) => points.some(({ loss }) => loss[part] > 0));
  return grid([
    {
      ...{ ...common, title: 'Loss', y: 'loss' },
      series: parts.flatMap((part) => one(lossNames[part], ({ loss }) => loss[part])),
    },
    { ...common, title: 'Learning rate', y: 'rate', series: one('learning rate', ({ rate }) => rate) },
    {
      ...{ ...common, title: 'Norm of the gradients', y: 'norm' },
      series: one('norm', ({ gradientNorm }) => gradientNorm),
    },
    {
      ...{ ...common, title: 'Training speed', y: 'images/s' },
      series: one('images/s', ({ imagesPerSecond }) => imagesPerSecond),
    },
  ]);
}

function grid(charts: readonly ChartOptions[]): Html | undefined {
  const drawn = charts.flatMap((chart) => lineChart(chart) ?? []);
  return drawn.length > 0 ? html`<div class="charts">${drawn}</div>` : undefined;
}

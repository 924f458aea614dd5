import { SsdPruneError } from '../errors';
import type { LossCurve, LossCurves, LossPoint } from './loss-curves';
import { type PickleValue, readPickle } from './pickle';

/** PaddleSlim 1.x: `{name: {pruned_percent, loss, size}}`, differences; 2.x: `{name: {ratio: loss}}`, shares of the whole. */
export type PaddleForm = '1.x' | '2.x';

/**
 * Far more than any network and any sweep have. A few bytes of a hostile file can name one dictionary thousands of times.
 */
const [mostLayers, mostPoints] = [2000, 1000];

/**
 * Losses from a file that PaddleSlim saved, in either form, without executing anything.
 * @throws {SsdPruneError} ERR_BAD_DATA naming the layer that is wrong, and what {@link readPickle} throws
 */
export function readPaddleCurves(bytes: Uint8Array, source: string): LossCurves {
  const layers = readPickle(bytes, source);
  const refuse = (what: string): SsdPruneError =>
    new SsdPruneError('ERR_BAD_DATA', `${source} is no sensitivities file of PaddleSlim: ${what}.`);
  if (!(layers instanceof Map)) throw refuse('it holds no dictionary of layers');
  if (layers.size > mostLayers) throw refuse(`it has ${layers.size} layers, and ${mostLayers} are the most`);
  const entries = [...layers].map(([name, layer]): [string, Map<PickleValue, PickleValue>] => {
    if (typeof name !== 'string' || !(layer instanceof Map)) throw refuse('a layer is no dictionary with a name');
    return [name, layer];
  });
  const old = entries.some(([, layer]) => layer.has('pruned_percent'));
  const curves = new Map<string, LossCurve>();
  for (const [name, layer] of entries) {
    const of = (what: string): SsdPruneError => refuse(`${JSON.stringify(name)}: ${what}`);
    if (layer.size > mostPoints) throw of(`${layer.size} points, and ${mostPoints} are the most`);
    curves.set(name, old ? oldCurve(layer, of) : { channels: undefined, points: pointsOf([...layer], of) });
  }
  return { source, relative: !old, curves };
}

function oldCurve(layer: Map<PickleValue, PickleValue>, refuse: (what: string) => SsdPruneError): LossCurve {
  const [ratios, losses, size] = ['pruned_percent', 'loss', 'size'].map((key) => layer.get(key));
  if (!Array.isArray(ratios) || !Array.isArray(losses) || ratios.length !== losses.length)
    throw refuse('pruned_percent and loss are not two lists of the same length');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1)
    throw refuse('size is no number of channels');
  return {
    channels: size,
    points: pointsOf(
      ratios.map((ratio, i) => [ratio, losses[i]!]),
      refuse,
    ),
  };
}

/** Points by ascending ratio; of several at one ratio the last, as a later evaluation would have it. */
function pointsOf(
  pairs: readonly (readonly [PickleValue, PickleValue])[],
  refuse: (what: string) => SsdPruneError,
): LossPoint[] {
  if (pairs.length > mostPoints) throw refuse(`${pairs.length} points, and ${mostPoints} are the most`);
  const points = new Map<number, LossPoint>();
  for (const [ratio, loss] of pairs) {
    if (typeof ratio !== 'number' || !(ratio >= 0 && ratio <= 1)) throw refuse('a ratio is no number from 0 to 1');
    if (typeof loss !== 'number' || !Number.isFinite(loss)) throw refuse(`the loss at ${ratio} is no number`);
    points.set(ratio, { ratio, loss });
  }
  return [...points.values()].filter(({ ratio }) => ratio > 0).sort((a, b) => a.ratio - b.ratio);
}

/**
 * A file as PaddleSlim saves it (pickle protocol 2, which every Python reads).
 * @param layers names with their channels and points, whose losses are what the form holds, see {@link PaddleForm}
 */
export function encodePaddleCurves(
  layers: readonly { readonly name: string; readonly channels: number; readonly points: readonly LossPoint[] }[],
  form: PaddleForm,
): Uint8Array {
  const entries = layers.map(({ name, channels, points }): [Buffer, Buffer] => {
    const numbers = (key: keyof LossPoint): Buffer => list(points.map((point) => float(point[key])));
    if (form === '2.x') {
      return [text(name), dictionary(points.map(({ ratio, loss }) => [float(ratio), float(loss)]))];
    }
    return [
      text(name),
      dictionary([
        [text('pruned_percent'), numbers('ratio')],
        [text('loss'), numbers('loss')],
        [text('size'), int(channels)],
      ]),
    ];
  });
  return Buffer.concat([Buffer.from([0x80, 2]), dictionary(entries), Buffer.from('.')]);
}

/** BINUNICODE */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.from('X\0\0\0\0');
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** BINFLOAT */
function float(value: number): Buffer {
  const bytes = Buffer.from('G\0\0\0\0\0\0\0\0');
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

/** BININT */
function int(value: number): Buffer {
  const bytes = Buffer.from('J\0\0\0\0');
  bytes.writeInt32LE(value, 1);
  return bytes;
}

/** EMPTY_LIST MARK … APPENDS */
const list = (items: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from(']('), ...items, Buffer.from('e')]);

/** EMPTY_DICT MARK … SETITEMS */
const dictionary = (entries: readonly (readonly [Buffer, Buffer])[]): Buffer =>
  Buffer.concat([Buffer.from('}('), ...entries.flat(), Buffer.from('u')]);

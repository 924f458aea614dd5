import type { XMLParser, XMLValidator } from 'fast-xml-parser';
import { SsdPruneError } from '../errors';
import type { Sample } from './dataset';

type Annotation = Pick<Sample, 'width' | 'height' | 'boxes' | 'labels' | 'difficult' | 'truncated'>;
type Node = { [tag: string]: string | Node | Node[] | undefined };

interface Xml {
  parser: XMLParser;
  validator: typeof XMLValidator;
  /** Under this key the parser keeps where in the text an element starts. */
  place: symbol;
}

let loaded: Xml | undefined;

function xml(): Xml {
  if (loaded) return loaded;
  const { XMLParser, XMLValidator } = require('fast-xml-parser') as typeof import('fast-xml-parser');
  // Values stay text: a class or an id such as "01" is a name, not a number.
  const parser = new XMLParser({
    parseTagValue: false,
    ignoreDeclaration: true,
    captureMetaData: true,
    isArray: (name) => name === 'object',
  });
  loaded = { parser, validator: XMLValidator, place: XMLParser.getMetaDataSymbol() as unknown as symbol };
  return loaded;
}

/**
 * One annotation file of VOC. Boxes must have xmin < xmax and ymin < ymax; one that leaves the picture by more than a
 * pixel is kept as annotated, with a line in `warnings`.
 * @param classes index of each class name.
 * @throws {SsdPruneError} ERR_BAD_DATA with file and line.
 */
export function parseVocAnnotation(
  text: string,
  file: string,
  classes: ReadonlyMap<string, number>,
  warnings: string[],
): Annotation {
  const { parser, validator, place } = xml();
  const lineAt = (index: number): number => text.slice(0, index).split('\n').length;
  const refuse = (line: number, message: string): never => {
    throw new SsdPruneError('ERR_BAD_DATA', `${file}:${line}: ${message}`);
  };
  const startOf = (node: Node): number => (node as { [key: symbol]: { startIndex?: number } })[place]?.startIndex ?? 0;
  const lineOf = (node: Node, tag: string): number => {
    const start = startOf(node);
    const inside = text.indexOf(`<${tag}`, start);
    return lineAt(inside < 0 ? start : inside);
  };

  const valid = validator.validate(text.trimStart());
  if (valid !== true) {
    const skipped = lineAt(text.length - text.trimStart().length) - 1;
    refuse(valid.err.line + skipped, `not well-formed XML (${valid.err.msg}); is the file cut short?`);
  }
  const root = (parser.parse(text) as Node).annotation;
  if (typeof root !== 'object' || Array.isArray(root)) return refuse(1, 'expected one <annotation>');

  const child = (node: Node, tag: string, what: string): Node => {
    const value = node[tag];
    if (typeof value === 'object' && !Array.isArray(value)) return value;
    return refuse(lineAt(startOf(node)), `${what} needs one <${tag}>`);
  };
  const number = (node: Node, tag: string): number => {
    const value = node[tag];
    const parsed = typeof value === 'string' && value !== '' ? Number(value) : Number.NaN;
    if (Number.isFinite(parsed)) return parsed;
    const shown = value === undefined ? 'nothing' : JSON.stringify(value);
    return refuse(lineOf(node, tag), `expected a number in <${tag}> but found ${shown}`);
  };
  const flag = (node: Node, tag: string): number => {
    const value = node[tag];
    if (value === undefined || value === '' || value === '0') return 0;
    if (value === '1') return 1;
    return refuse(lineOf(node, tag), `expected 0 or 1 in <${tag}> but found ${JSON.stringify(value)}`);
  };

  const size = child(root, 'size', 'the annotation');
  const [width, height] = [number(size, 'width'), number(size, 'height')];
  if (!(width >= 1 && height >= 1)) refuse(lineAt(startOf(size)), `the picture's size is ${width}x${height}`);

  const objects = (root.object ?? []) as (Node | string)[];
  const boxes = new Float32Array(objects.length * 4);
  const labels = new Int32Array(objects.length);
  const difficult = new Uint8Array(objects.length);
  const truncated = new Uint8Array(objects.length);
  for (const [i, object] of objects.entries()) {
    if (typeof object === 'string') return refuse(lineOf(root, 'object'), 'an <object> has no <name>');
    const name = object.name;
    if (typeof name !== 'string' || name === '') {
      return refuse(lineAt(startOf(object)), 'an <object> needs one <name>');
    }
    const label = classes.get(name);
    if (label === undefined) {
      const known = [...classes.keys()].join(', ');
      return refuse(lineOf(object, 'name'), `unknown class ${JSON.stringify(name)}; the classes are: ${known}`);
    }
    const bndbox = child(object, 'bndbox', `the object ${JSON.stringify(name)}`);
    const [xmin, ymin, xmax, ymax] = ['xmin', 'ymin', 'xmax', 'ymax'].map((tag) => number(bndbox, tag)) as [
      number,
      number,
      number,
      number,
    ];
    const shown = `box (${xmin}, ${ymin}, ${xmax}, ${ymax})`;
    if (xmax <= xmin) refuse(lineOf(bndbox, 'xmax'), `${shown} of ${name} has xmax <= xmin`);
    if (ymax <= ymin) refuse(lineOf(bndbox, 'ymax'), `${shown} of ${name} has ymax <= ymin`);
    if (xmin < -1 || ymin < -1 || xmax > width + 1 || ymax > height + 1) {
      const line = lineAt(startOf(bndbox));
      warnings.push(`${file}:${line}: ${shown} of ${name} leaves the picture of ${width}x${height}; kept as it is`);
    }
    boxes.set([xmin, ymin, xmax, ymax], i * 4);
    labels[i] = label;
    difficult[i] = flag(object, 'difficult');
    truncated[i] = flag(object, 'truncated');
  }
  return { width, height, boxes, labels, difficult, truncated };
}

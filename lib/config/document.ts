import { open } from 'node:fs/promises';
import path from 'node:path';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { readError } from '../files';
import type { Located, LocatedEntry, Place } from './located';
import type { Problems } from './problems';

/** No configuration is longer; reading ends there, even of a device that never does. */
const mostBytes = 2 ** 18;
/** Maps and lists in each other; the parser itself would use up the stack. */
const mostDepth = 100;
/** Values with aliases written out. */
const mostValues = 20_000;

/**
 * A YAML file with the place of everything in it. What is wrong goes to `problems`.
 * @returns undefined where something is, or the file is empty
 * @throws {SsdPruneError} ERR_IO where it can't be read
 */
export async function readDocument(file: string, problems: Problems): Promise<Located | undefined> {
  const bytes = await readStart(file, mostBytes + 1).catch((error) => {
    throw readError(`configuration ${file}`, error);
  });
  const start: Place = { source: file, line: 1, column: 1, folder: path.dirname(path.resolve(file)) };
  if (bytes.length > mostBytes) {
    problems.add(start, `longer than ${mostBytes / 1024} KiB: no configuration is`);
    return undefined;
  }
  const text = decode(bytes, start, problems);
  return text === undefined ? undefined : parseLocated(text, start, problems);
}

/**
 * YAML text with the place of everything in it.
 * @param start where its first letter is; without a line, everything is there
 */
export function parseLocated(text: string, start: Place, problems: Problems): Located | undefined {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    if (start.line === undefined) return start;
    const { line, col } = lines.linePos(offset);
    return { ...start, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const deep = tooDeep(text, lines);
  if (deep !== undefined) {
    problems.add(placeAt(deep), `more than ${mostDepth} maps and lists in each other`);
    return undefined;
  }
  // Keys are compared below: the parser compares each with all.
  const document = parseDocument(text, { prettyErrors: false, schema: 'core', uniqueKeys: false });
  // What the parser says of later places follows from the first.
  const [first] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  if (first) {
    problems.add(placeAt(first.pos[0]), syntaxMessages[first.code] ?? first.message);
    return undefined;
  }
  if (!document.contents) {
    problems.add(placeAt(0), 'nothing is in it');
    return undefined;
  }
  try {
    return new Locator(placeAt, problems).locate(document.contents);
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    problems.add(placeAt(error.offset), error.message);
    return undefined;
  }
}

const syntaxMessages: Partial<Record<string, string>> = {
  BAD_ALIAS: 'no name of an alias: a * alone is written in quotes, "*"',
  BLOCK_AS_IMPLICIT_KEY:
    'a second "key: value" on one line: write text with a colon in quotes, a map on lines of its own',
  MULTIPLE_DOCS: 'a second document begins here: a file has one',
  TAB_AS_INDENT: 'tabs are not allowed as indentation: write spaces',
  TAG_RESOLVE_FAILED: 'tags (!…) are not supported',
};

/** The first bytes of a file. */
async function readStart(file: string, most: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(most);
    let length = 0;
    while (length < most) {
      const { bytesRead } = await handle.read(buffer, length, most - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}

/** Text of a file, where it is text. */
function decode(bytes: Buffer, start: Place, problems: Problems): string | undefined {
  const refuse = (before: string, message: string): undefined => {
    const lines = before.split('\n');
    problems.add({ ...start, line: lines.length, column: lines.at(-1)!.length + 1 }, message);
  };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const [before] = new TextDecoder('utf-8').decode(bytes).split('\uFFFD', 1);
    return refuse(before!, 'no UTF-8 text');
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const control = /[\0-\x08\x0B\x0C\x0E-\x1F\x7F]/.exec(text);
  if (!control) return text;
  const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return refuse(text.slice(0, control.index), `no text: it has the character U+${code}`);
}

/** Where too many maps and lists are in each other; tells `lines` where lines begin. */
function tooDeep(text: string, lines: LineCounter): number | undefined {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    const { offset } = parser;
    // The parser goes on by being asked.
    for (const _ of parser.next(lexeme));
    // The document is one of them.
    if (parser.stack.length > mostDepth + 1) return offset;
  }
  return undefined;
}

/** Ends the conversion. */
class TooMuch extends Error {
  constructor(
    readonly offset: number,
    message: string,
  ) {
    super(message);
  }
}

/** Turns the parser's nodes into located values: aliases written out, merge keys (<<) merged, keys compared. */
class Locator {
  private values = 0;
  private expanding = 0;
  private readonly anchors = new Map<string, Node>();
  private readonly within = new Set<Node>();

  constructor(
    private readonly placeAt: (offset: number) => Place,
    private readonly problems: Problems,
  ) {}

  locate(node: Node): Located {
    const offset = node.range?.[0] ?? 0;
    const place = this.placeAt(offset);
    if (++this.values > mostValues) throw new TooMuch(offset, `more than ${mostValues} values, aliases written out`);
    if (isAlias(node)) {
      const target = this.anchors.get(node.source);
      if (!target) throw new TooMuch(offset, `no anchor &${node.source} before this alias`);
      if (this.within.has(target)) throw new TooMuch(offset, `the alias *${node.source} is inside of its own anchor`);
      this.expanding++;
      const located = this.locate(target);
      this.expanding--;
      // Only what is inside is written elsewhere.
      return { ...located, place };
    }
    // In the order of the text: a later anchor of the name counts for what is behind it.
    const anchor = (node as Scalar | YAMLMap | YAMLSeq).anchor;
    if (anchor !== undefined && this.expanding === 0) this.anchors.set(anchor, node);
    this.within.add(node);
    // What aliases write out may be deeper than the text.
    if (this.within.size > mostDepth) throw new TooMuch(offset, `more than ${mostDepth} maps and lists in each other`);
    let value: Located['value'];
    if (isMap(node)) value = this.entries(node);
    else if (isSeq(node)) value = (node.items as Node[]).map((item) => this.locate(item));
    else value = (isScalar(node) ? node.value : null) as Located['value'];
    this.within.delete(node);
    return { place, value };
  }

  private entries(map: YAMLMap): Map<string, LocatedEntry> {
    const [own, merged] = [new Map<string, LocatedEntry>(), new Map<string, LocatedEntry>()];
    for (const pair of map.items) {
      const key = pair.key as Node | null;
      const place = this.placeAt(key?.range?.[0] ?? map.range?.[0] ?? 0);
      const name = this.keyName(key, place);
      if (name === undefined) continue;
      const value = pair.value ? this.locate(pair.value as Node) : { place, value: null };
      if (name === '<<') this.merge(value, merged);
      else if (own.has(name)) this.problems.add(place, `the key ${JSON.stringify(name)} stands here a second time`);
      else own.set(name, { place, value });
    }
    // What a map says itself wins.
    for (const [name, entry] of merged) if (!own.has(name)) own.set(name, entry);
    return own;
  }

  private keyName(key: Node | null, place: Place): string | undefined {
    if (isScalar(key) && key.value !== null) {
      const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
      if (name !== '__proto__') return name;
    }
    const shown = isScalar(key) && key.value !== null ? '__proto__' : 'what stands here';
    this.problems.add(place, `${shown} can't be a key: a key is a name`);
    return undefined;
  }

  private merge({ place, value }: Located, into: Map<string, LocatedEntry>): void {
    const sources = Array.isArray(value) ? value : [{ place, value }];
    for (const source of sources) {
      if (!(source.value instanceof Map)) {
        this.problems.add(source.place, '<< takes a map, or a list of maps');
        continue;
      }
      for (const [name, entry] of source.value) if (!into.has(name)) into.set(name, entry);
    }
  }
}

import type { SsdPruneError } from '../errors';
import { latin1, PickleBytes, printable } from './pickle-bytes';

/** What a pickle of plain data holds; tuples are lists, strings of Python 2 one character a byte. */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleKey, PickleValue>
  | NumpyName
  | NumpyType;
type PickleKey = boolean | number | string;

/** The only names that a pickle may call: what numpy makes its scalars of. They are read as data, nothing is called. */
type NumpyName = { readonly name: 'scalar' | 'dtype' | 'encode' };
const numpyNames = new Map<string, NumpyName>([
  ['numpy.core.multiarray scalar', { name: 'scalar' }],
  ['numpy._core.multiarray scalar', { name: 'scalar' }],
  ['numpy dtype', { name: 'dtype' }],
  // Bytes in pickles of protocols 0 to 2.
  ['_codecs encode', { name: 'encode' }],
]);

/** A kind of numpy scalars, with its byte order once that was said. */
type NumpyType = { readonly kind: ScalarKind; littleEndian: boolean };
const scalarReaders = {
  f4: { bytes: 4, read: (view: DataView, little: boolean) => view.getFloat32(0, little) },
  f8: { bytes: 8, read: (view: DataView, little: boolean) => view.getFloat64(0, little) },
  i4: { bytes: 4, read: (view: DataView, little: boolean) => view.getInt32(0, little) },
  i8: { bytes: 8, read: (view: DataView, little: boolean) => Number(view.getBigInt64(0, little)) },
};
type ScalarKind = keyof typeof scalarReaders;

/** Opcodes that are refused by their name in Python's pickletools; others are refused by number. */
const refusedNames: Readonly<Record<string, string>> = {
  '0': 'POP',
  '1': 'POP_MARK',
  '2': 'DUP',
  P: 'PERSID',
  Q: 'BINPERSID',
  i: 'INST',
  o: 'OBJ',
  '\x81': 'NEWOBJ',
  '\x82': 'EXT1',
  '\x83': 'EXT2',
  '\x84': 'EXT4',
  '\x8f': 'EMPTY_SET',
  '\x90': 'ADDITEMS',
  '\x91': 'FROZENSET',
  '\x92': 'NEWOBJ_EX',
  '\x96': 'BYTEARRAY8',
  '\x97': 'NEXT_BUFFER',
  '\x98': 'READONLY_BUFFER',
};

/**
 * Reads a Python pickle (protocols 0 to 5) of plain data: dictionaries, lists, tuples, strings, bytes, numbers, booleans,
 * None, and numpy's float and int scalars of 32 and 64 bits. A pickle is a program that may name and call any Python
 * function; this reader has no way to call anything, and whatever would need one is refused.
 * @param source what errors call the pickle
 * @throws {SsdPruneError} ERR_BAD_DATA naming the byte and what is refused there
 */
export function readPickle(bytes: Uint8Array, source: string): PickleValue {
  return new PickleReader(bytes, source).read();
}

class PickleReader {
  private readonly input: PickleBytes;
  private stack: PickleValue[] = [];
  /** Stacks that a MARK put aside. */
  private readonly marked: PickleValue[][] = [];
  private readonly memo = new Map<number, PickleValue>();

  constructor(bytes: Uint8Array, source: string) {
    this.input = new PickleBytes(bytes, source);
  }

  read(): PickleValue {
    for (let opcode = this.input.opcode(); opcode !== '.'; opcode = this.input.opcode()) {
      const make = this.values.get(opcode);
      if (make) {
        // First: it may exchange the stack.
        const value = make();
        this.stack.push(value);
        continue;
      }
      const change = this.changes.get(opcode);
      if (!change) {
        const name = refusedNames[opcode] ?? `0x${opcode.charCodeAt(0).toString(16).padStart(2, '0')}`;
        throw this.problem(`the opcode ${name} makes no plain data`);
      }
      change();
    }
    const value = this.pop();
    if (this.stack.length > 0 || this.marked.length > 0) throw this.problem('values are left over');
    return value;
  }

  /** Opcodes that put a value on the stack. */
  private readonly values = new Map<string, () => PickleValue>([
    ['N', () => null],
    ['\x88', () => true],
    ['\x89', () => false],
    ['I', () => this.intOrBoolean(this.input.line())],
    ['L', () => this.input.decimal(this.input.line().replace(/L$/, ''))],
    ['F', () => this.input.float(this.input.line())],
    ['J', () => this.input.signed32()],
    ['K', () => this.input.uint(1)],
    ['M', () => this.input.uint(2)],
    ['G', () => this.input.double()],
    ['\x8a', () => this.input.long(this.input.length(1))],
    ['\x8b', () => this.input.long(this.input.length(4))],
    ['S', () => this.input.quoted(this.input.line())],
    ['T', () => latin1(this.input.take(this.input.length(4)))],
    ['U', () => latin1(this.input.take(this.input.length(1)))],
    ['V', () => this.input.escaped(this.input.line())],
    ['X', () => this.input.utf8(this.input.length(4))],
    ['\x8c', () => this.input.utf8(this.input.length(1))],
    ['\x8d', () => this.input.utf8(this.input.length(8))],
    ['B', () => this.input.take(this.input.length(4))],
    ['C', () => this.input.take(this.input.length(1))],
    ['\x8e', () => this.input.take(this.input.length(8))],
    [']', () => []],
    [')', () => []],
    ['}', () => new Map()],
    ['l', () => this.popMark()],
    ['t', () => this.popMark()],
    ['\x85', () => this.popMany(1)],
    ['\x86', () => this.popMany(2)],
    ['\x87', () => this.popMany(3)],
    ['d', () => this.set(new Map(), this.popMark())],
    ['g', () => this.remembered(this.index())],
    ['h', () => this.remembered(this.input.uint(1))],
    ['j', () => this.remembered(this.input.uint(4))],
    ['c', () => this.numpyName('GLOBAL', this.input.line(), this.input.line())],
    ['\x93', () => this.numpyName('STACK_GLOBAL', ...(this.popMany(2) as [PickleValue, PickleValue]))],
    ['R', () => this.numpyValue(...(this.popMany(2) as [PickleValue, PickleValue]))],
  ]);

  /** Opcodes that change what is there. */
  private readonly changes = new Map<string, () => void>([
    ['\x80', () => this.checkProtocol(this.input.uint(1))],
    // A frame: its length says how much to read ahead.
    ['\x95', () => this.input.length(8)],
    ['(', () => this.mark()],
    ['a', () => this.append(this.popMany(1))],
    ['e', () => this.append(this.popMark())],
    ['s', () => this.setItems(this.popMany(2))],
    ['u', () => this.setItems(this.popMark())],
    ['p', () => this.remember(this.index())],
    ['q', () => this.remember(this.input.uint(1))],
    ['r', () => this.remember(this.input.uint(4))],
    ['\x94', () => this.remember(this.memo.size)],
    ['b', () => this.setOrder(this.popMany(1)[0]!)],
  ]);

  private checkProtocol(protocol: number): void {
    if (protocol > 5) throw this.problem('the protocol is newer than 5');
  }

  private mark(): void {
    this.marked.push(this.stack);
    this.stack = [];
  }

  /** Protocols 0 and 1 have no booleans of their own. */
  private intOrBoolean(text: string): number | boolean {
    if (text === '00') return false;
    return text === '01' ? true : this.input.decimal(text);
  }

  private index(): number {
    return this.input.decimal(this.input.line(), /^\d+$/);
  }

  private numpyName(opcode: string, module: PickleValue, name: PickleValue): NumpyName {
    // Joined only once they are known to be strings: a list may hold itself, or others without end.
    if (typeof module !== 'string' || typeof name !== 'string') throw this.problem(`${opcode} names no function`);
    const known = numpyNames.get(`${module} ${name}`);
    if (known) return known;
    throw this.problem(
      `${opcode} names ${printable(`${module}.${name}`)}, which is no plain data. Nothing was executed`,
    );
  }

  /** What numpy's functions would make of arguments, for the three that are known. */
  private numpyValue(callee: PickleValue, given: PickleValue): PickleValue {
    const [first, second, ...more] = Array.isArray(given) ? given : [];
    if (isName(callee, 'dtype') && typeof first === 'string') {
      if (Object.hasOwn(scalarReaders, first)) return { kind: first as ScalarKind, littleEndian: true };
      throw this.problem(`numpy's type ${printable(first)} is no float or int of 32 or 64 bits`);
    }
    if (isName(callee, 'encode') && typeof first === 'string' && second === 'latin1' && more.length === 0) {
      return this.bytesOf(first);
    }
    if (isName(callee, 'scalar') && isType(first) && (second instanceof Uint8Array || typeof second === 'string')) {
      const { bytes, read } = scalarReaders[first.kind];
      const data = typeof second === 'string' ? this.bytesOf(second) : second;
      if (data.length !== bytes) throw this.problem(`numpy's ${first.kind} takes ${bytes} bytes, not ${data.length}`);
      return read(new DataView(data.buffer, data.byteOffset, bytes), first.littleEndian);
    }
    throw this.problem('REDUCE calls what is no plain data. Nothing was executed');
  }

  /** BUILD gives a numpy type its byte order; on everything else it would call code. */
  private setOrder(state: PickleValue): void {
    const target = this.top();
    const order = Array.isArray(state) ? state[1] : undefined;
    if (!isType(target) || (order !== '<' && order !== '>'))
      throw this.problem('the opcode BUILD makes no plain data. Nothing was executed');
    target.littleEndian = order === '<';
  }

  private append(items: PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.problem('items are appended to what is no list');
    for (const item of items) list.push(item);
  }

  private setItems(items: PickleValue[]): void {
    const map = this.top();
    if (!(map instanceof Map)) throw this.problem('items are set in what is no dictionary');
    this.set(map, items);
  }

  private set(map: Map<PickleKey, PickleValue>, items: readonly PickleValue[]): Map<PickleKey, PickleValue> {
    if (items.length % 2 !== 0) throw this.problem('a key has no value');
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]!;
      if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'boolean')
        throw this.problem('a key is neither a string nor a number');
      map.set(key, items[i + 1]!);
    }
    return map;
  }

  private top(): PickleValue {
    if (this.stack.length === 0) throw this.problem('a value is missing');
    return this.stack.at(-1)!;
  }

  private pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  private popMany(count: number): PickleValue[] {
    if (this.stack.length < count) throw this.problem('a value is missing');
    return this.stack.splice(this.stack.length - count);
  }

  private popMark(): PickleValue[] {
    const before = this.marked.pop();
    if (!before) throw this.problem('a mark is missing');
    const values = this.stack;
    this.stack = before;
    return values;
  }

  private remember(index: number): void {
    this.memo.set(index, this.top());
  }

  private remembered(index: number): PickleValue {
    const value = this.memo.get(index);
    if (value === undefined) throw this.problem(`nothing was remembered as ${index}`);
    return value;
  }

  /** What Python's encode makes of text. */
  private bytesOf(text: string): Uint8Array {
    if (/[^\0-\xff]/.test(text)) throw this.problem('bytes are written with characters that are none');
    return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  }

  private problem(what: string): SsdPruneError {
    return this.input.problem(what);
  }
}

const isPlain = (value: PickleValue | undefined): value is NumpyName | NumpyType =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Map || value instanceof Uint8Array);

const isType = (value: PickleValue | undefined): value is NumpyType => isPlain(value) && 'kind' in value;

const isName = (value: PickleValue, name: NumpyName['name']): boolean =>
  isPlain(value) && 'name' in value && value.name === name;

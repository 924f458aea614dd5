import { SsdPruneError } from '../errors';

/** The bytes of a pickle and the forms that values have in them, read one behind the other. */
export class PickleBytes {
  private at = 0;
  /** Where the current opcode began. */
  private begin = 0;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly source: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The next opcode, as a character. */
  opcode(): string {
    this.begin = this.at;
    return String.fromCharCode(this.uint(1));
  }

  /** Position of the next bytes, and past them. */
  private skip(count: number): number {
    const start = this.at;
    if (count > this.bytes.length - start) throw this.problem('the file ends in the middle of a value');
    this.at += count;
    return start;
  }

  take(count: number): Uint8Array {
    const start = this.skip(count);
    return this.bytes.subarray(start, start + count);
  }

  /** Unsigned, little-endian. */
  uint(bytes: 1 | 2 | 4): number {
    const start = this.skip(bytes);
    if (bytes === 1) return this.view.getUint8(start);
    return bytes === 2 ? this.view.getUint16(start, true) : this.view.getUint32(start, true);
  }

  /** A length ahead of as many bytes, which must be there. */
  length(bytes: 1 | 4 | 8): number {
    const count = bytes === 8 ? Number(this.view.getBigUint64(this.skip(8), true)) : this.uint(bytes);
    if (count > this.bytes.length - this.at)
      throw this.problem(`a value claims ${count} bytes, but only ${this.bytes.length - this.at} are left`);
    return count;
  }

  /** Up to the end of the line, which is left out. */
  line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) throw this.problem('the file ends in the middle of a line');
    const text = latin1(this.take(end - this.at));
    this.at++;
    return text;
  }

  /** A whole number of up to 64 bits, written in digits. */
  decimal(text: string, form = /^[+-]?\d+$/): number {
    const value = Number(text);
    if (!form.test(text) || !(Math.abs(value) <= 2 ** 63)) throw this.problem(`${printable(text)} is no whole number`);
    return value;
  }

  /** A number as Python's repr writes it. */
  float(text: string): number {
    if (text === 'nan') return Number.NaN;
    if (/^[+-]?inf$/.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    if (!/^[+-]?\d+(\.\d*)?(e[+-]?\d+)?$/i.test(text)) throw this.problem(`${printable(text)} is no number`);
    return Number(text);
  }

  /** Two's complement of any length, little-endian; only what a number holds is of use here. */
  long(count: number): number {
    const data = this.take(count);
    if (count > 8) throw this.problem(`a whole number of ${count} bytes is too large`);
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(data[i]!);
    return Number(BigInt.asIntN(8 * count, value));
  }

  signed32(): number {
    return this.view.getInt32(this.skip(4), true);
  }

  /** Big-endian, unlike all else. */
  double(): number {
    return this.view.getFloat64(this.skip(8), false);
  }

  /** Text with \\uXXXX and \\UXXXXXXXX for what Latin-1 lacks. */
  escaped(text: string): string {
    return text.replace(/\\u([\da-fA-F]{4})|\\U([\da-fA-F]{8})/g, (_, u, U) => this.codePoint(u ?? U));
  }

  /** A string literal of Python 2. */
  quoted(text: string): string {
    const inner = /^(['"])(.*)\1$/s.exec(text)?.[2];
    if (inner === undefined) throw this.problem(`${printable(text)} is no string`);
    return inner.replace(/\\(?:x([\da-fA-F]{2})|(.))/gs, (all, hex: string | undefined, letter: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      return escapes[letter] ?? all;
    });
  }

  private codePoint(hex: string): string {
    const code = Number.parseInt(hex, 16);
    if (code > 0x10ffff) throw this.problem(`\\U${hex} is no character`);
    return String.fromCodePoint(code);
  }

  utf8(count: number): string {
    const data = this.take(count);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
    } catch (error) {
      throw this.problem('a string is not UTF-8', error);
    }
  }

  problem(what: string, cause?: unknown): SsdPruneError {
    return new SsdPruneError('ERR_BAD_DATA', `${this.source}, byte ${this.begin} of the pickle: ${what}.`, { cause });
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\', "'": "'", '"': '"' };

export const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** The beginning of a text of any length and kind, for messages. */
export const printable = (text: string): string => JSON.stringify(text.slice(0, 80));

import { SsdPruneError } from '../errors';

/** Bytes with a meaning in JSON. */
const Char = {
  Quote: 0x22,
  Plus: 0x2b,
  Comma: 0x2c,
  Minus: 0x2d,
  Dot: 0x2e,
  Zero: 0x30,
  Nine: 0x39,
  Colon: 0x3a,
  UpperE: 0x45,
  BracketOpen: 0x5b,
  Backslash: 0x5c,
  BracketClose: 0x5d,
  LowerE: 0x65,
  BraceOpen: 0x7b,
  BraceClose: 0x7d,
} as const;

/** Powers of ten that a double holds exactly. */
const powers = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const deepest = 200;

/**
 * Reads JSON from bytes, value by value, as its caller asks. Files of annotations and detections hold millions of
 * small objects: this makes none of them, skips what isn't wanted, and knows the line of everything it refuses.
 */
export class JsonScanner {
  #at = 0;
  readonly #bytes: Buffer;
  readonly #file: string;
  readonly #inside: () => string;

  /**
   * @param file the name that messages give.
   * @param inside what they put in front of the rest, such as `entry 17: `; asked only when something is refused.
   */
  constructor(bytes: Buffer, file: string, inside: () => string = () => '') {
    this.#bytes = bytes;
    this.#file = file;
    this.#inside = inside;
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.#at = 3;
  }

  /** Where the next value begins; {@link fail} takes it as the place to name. */
  mark(): number {
    this.#space();
    return this.#at;
  }

  /** An ERR_BAD_DATA that names the file and the line of `at`. */
  error(message: string, at = this.#at): SsdPruneError {
    let line = 1;
    for (let i = this.#bytes.indexOf(10); i >= 0 && i < at; i = this.#bytes.indexOf(10, i + 1)) line++;
    return new SsdPruneError('ERR_BAD_DATA', `${this.#file}:${line}: ${this.#inside()}${message}`);
  }

  /** @throws {SsdPruneError} what {@link error} makes. */
  fail(message: string, at = this.#at): never {
    throw this.error(message, at);
  }

  /** What the next value is. */
  kind(): 'array' | 'object' | 'string' | 'number' | 'word' | 'end' {
    const char = this.#next();
    if (char === Char.BracketOpen) return 'array';
    if (char === Char.BraceOpen) return 'object';
    if (char === Char.Quote) return 'string';
    if (char === Char.Minus || (char >= Char.Zero && char <= Char.Nine)) return 'number';
    return char < 0 ? 'end' : 'word';
  }

  /** An array; `element` must read each of its values. */
  array(what: string, element: (index: number) => void): void {
    this.#expect(Char.BracketOpen, `an array for ${what}`);
    if (this.#next() === Char.BracketClose) {
      this.#at++;
      return;
    }
    for (let index = 0; ; index++) {
      element(index);
      const char = this.#next();
      this.#at++;
      if (char === Char.BracketClose) return;
      if (char !== Char.Comma) this.#broken('"," or "]"', this.#at - 1);
    }
  }

  /** An object; `member` must read the value of each key of `keys` (it gets the index), others are skipped. */
  object(what: string, keys: readonly Buffer[], member: (key: number) => void, depth = 0): void {
    this.#expect(Char.BraceOpen, `an object for ${what}`);
    if (this.#next() === Char.BraceClose) {
      this.#at++;
      return;
    }
    for (;;) {
      const key = this.#key(keys);
      this.#expect(Char.Colon, '":"');
      if (key < 0) this.skip(depth + 1);
      else member(key);
      const char = this.#next();
      this.#at++;
      if (char === Char.BraceClose) return;
      if (char !== Char.Comma) this.#broken('"," or "}"', this.#at - 1);
    }
  }

  /** A finite number, exactly as `JSON.parse` reads it. */
  number(what: string): number {
    const bytes = this.#bytes;
    let char = this.#next();
    const start = this.#at;
    const negative = char === Char.Minus;
    if (negative) char = bytes[++this.#at]!;
    if (!(char >= Char.Zero && char <= Char.Nine)) this.#broken(`a number for ${what}`, start);
    let mantissa = 0;
    let digits = 0;
    let decimals = 0;
    for (; char >= Char.Zero && char <= Char.Nine; char = bytes[++this.#at]!) {
      mantissa = mantissa * 10 + (char - Char.Zero);
      digits++;
    }
    if (digits > 1 && bytes[this.#at - digits] === Char.Zero) this.#broken(`no zero in front for ${what}`, start);
    if (char === Char.Dot) {
      char = bytes[++this.#at]!;
      for (; char >= Char.Zero && char <= Char.Nine; char = bytes[++this.#at]!) {
        mantissa = mantissa * 10 + (char - Char.Zero);
        decimals++;
      }
      if (decimals === 0) this.#broken(`digits behind the point for ${what}`, this.#at);
      digits += decimals;
    }
    const plain = char !== Char.LowerE && char !== Char.UpperE;
    if (!plain) {
      char = bytes[++this.#at]!;
      if (char === Char.Plus || char === Char.Minus) char = bytes[++this.#at]!;
      const first = this.#at;
      for (; char >= Char.Zero && char <= Char.Nine; char = bytes[++this.#at]!);
      if (this.#at === first) this.#broken(`an exponent for ${what}`, first);
    }
    // Both operands exact, so the one rounding of the division is the right one.
    if (plain && digits <= 15) return (negative ? -mantissa : mantissa) / powers[decimals]!;
    const value = Number(bytes.toString('latin1', start, this.#at));
    if (!Number.isFinite(value)) this.fail(`${what} is beyond the range of a double`, start);
    return value;
  }

  /** A string with its escapes resolved. */
  string(what: string): string {
    const char = this.#next();
    const start = this.#at;
    if (char !== Char.Quote) this.#broken(`a string for ${what}`, start);
    const escaped = this.#passString();
    if (!escaped) return this.#bytes.toString('utf8', start + 1, this.#at - 1);
    try {
      return JSON.parse(this.#bytes.toString('utf8', start, this.#at)) as string;
    } catch {
      return this.fail(`${what} has a bad escape`, start);
    }
  }

  /** `true`, `false`, 0 or 1. */
  flag(what: string): boolean {
    if (this.kind() === 'number') {
      const at = this.#at;
      const value = this.number(what);
      if (value !== 0 && value !== 1) this.fail(`${what} is ${value}, expected 0 or 1`, at);
      return value === 1;
    }
    const at = this.#at;
    const word = this.#word();
    if (word !== 'true' && word !== 'false') this.#broken(`0 or 1 for ${what}`, at);
    return word === 'true';
  }

  /** Passes over one value of any kind. */
  skip(depth = 0): void {
    if (depth > deepest) this.fail(`values are nested deeper than ${deepest}`);
    switch (this.kind()) {
      case 'array':
        this.array('', () => this.skip(depth + 1));
        return;
      case 'object':
        this.object('', [], () => undefined, depth);
        return;
      case 'string':
        this.#passString();
        return;
      case 'number':
        this.number('a value');
        return;
      default: {
        const at = this.#at;
        if (!['true', 'false', 'null'].includes(this.#word())) this.#broken('a value', at);
      }
    }
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (this.#next() >= 0) this.fail('something follows the end of the document');
  }

  /** Index of the key in `keys`, or -1. */
  #key(keys: readonly Buffer[]): number {
    if (this.#next() !== Char.Quote) this.#broken('a key', this.#at);
    const start = this.#at + 1;
    this.#passString();
    const end = this.#at - 1;
    for (let k = 0; k < keys.length; k++) {
      const key = keys[k]!;
      let i = key.length === end - start ? 0 : -1;
      while (i >= 0 && i < key.length && key[i] === this.#bytes[start + i]) i++;
      if (i === key.length) return k;
    }
    return -1;
  }

  /** Moves behind the string that starts here; whether it has escapes. */
  #passString(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    let escaped = false;
    for (let i = start + 1; i < bytes.length; i++) {
      const char = bytes[i]!;
      if (char === Char.Quote) {
        this.#at = i + 1;
        return escaped;
      }
      if (char === Char.Backslash) {
        escaped = true;
        i++;
      } else if (char < 0x20) this.fail('a string is not closed on its line', start);
    }
    return this.fail('the file ends inside a string', start);
  }

  #word(): string {
    const start = this.#at;
    while (this.#bytes[this.#at]! >= 0x61 && this.#bytes[this.#at]! <= 0x7a) this.#at++;
    return this.#bytes.toString('latin1', start, this.#at);
  }

  #expect(char: number, what: string): void {
    if (this.#next() !== char) this.#broken(what, this.#at);
    this.#at++;
  }

  #broken(expected: string, at: number): never {
    if (at >= this.#bytes.length) return this.fail(`the file ends where ${expected} was expected`, at);
    const found = this.#bytes.toString('utf8', at, Math.min(at + 12, this.#bytes.length)).split('\n')[0];
    return this.fail(`expected ${expected} but found ${JSON.stringify(found)}`, at);
  }

  /** The next byte that isn't white space, or -1 at the end. */
  #next(): number {
    this.#space();
    return this.#at < this.#bytes.length ? this.#bytes[this.#at]! : -1;
  }

  #space(): void {
    const bytes = this.#bytes;
    for (let char = bytes[this.#at]!; char === 32 || char === 10 || char === 13 || char === 9; ) {
      char = bytes[++this.#at]!;
    }
  }
}

/** Keys in the form that {@link JsonScanner.object} compares. */
export const jsonKeys = (...names: string[]): Buffer[] => names.map((name) => Buffer.from(name));

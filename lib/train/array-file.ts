import { crc32 } from 'node:zlib';
import { SsdPruneError } from '../errors';

/** Float32 arrays with a JSON header, as bytes: what training keeps between runs. */
export interface ArrayFile<Header> {
  readonly header: Header;
  /** The next array of the body, bit by bit as it was written. */
  take(size: number): Float32Array;
}

/**
 * Chunks to be joined: a line that says what it is, the header with its length in front, the arrays, CRC32. The arrays
 * are not copied.
 * @param kind what the bytes are, with the version of their form
 */
export function encodeArrays(kind: string, header: object, arrays: readonly Float32Array[]): Uint8Array[] {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const chunks: Uint8Array[] = [Buffer.from(`${kind}\n`), length, json, ...arrays.map(bytesOf)];
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(chunks.reduce((before, chunk) => crc32(chunk, before), 0));
  return [...chunks, sum];
}

/**
 * What {@link encodeArrays} wrote.
 * @param where what messages call the bytes, such as a file
 * @param noun what messages say that they are not
 * @throws {SsdPruneError} ERR_BAD_DATA where they are cut short, changed or something else
 */
export function decodeArrays<Header>(kind: string, bytes: Uint8Array, where: string, noun: string): ArrayFile<Header> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = Buffer.from(`${kind}\n`);
  const begin = magic.length + 4;
  if (!buffer.subarray(0, magic.length).equals(magic)) throw unreadable(where, `is not ${noun}`);
  const end = buffer.length - 4;
  if (end < begin || crc32(buffer.subarray(0, end)) !== buffer.readUInt32LE(end)) {
    throw unreadable(where, 'is cut short or was changed');
  }
  const headerEnd = begin + buffer.readUInt32LE(magic.length);
  let at = headerEnd;
  return {
    header: JSON.parse(buffer.toString('utf8', begin, headerEnd)) as Header,
    take(size) {
      const values = new Float32Array(size);
      buffer.copy(bytesOf(values), 0, at, at + 4 * size);
      at += 4 * size;
      return values;
    },
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function unreadable(where: string, what: string): SsdPruneError {
  return new SsdPruneError('ERR_BAD_DATA', `${where} ${what}; start from a whole checkpoint`);
}

import { SsdPruneError } from './errors';
import { addon } from './native/addon';

/** From here on the first touch of ordinary pages costs more than asking the addon for huge ones. */
const bigBytes = 4 * 2 ** 20;

/**
 * A buffer to be filled: big ones from the addon, on huge pages where the system has them. Works without
 * the addon too, only slower.
 */
export function allocateBytes(length: number): Uint8Array<ArrayBuffer> {
  if (length < bigBytes) return Buffer.allocUnsafeSlow(length);
  try {
    return new Uint8Array(addon().allocate(length));
  } catch (error) {
    if (error instanceof SsdPruneError && error.code === 'ERR_ADDON_MISSING') return Buffer.allocUnsafeSlow(length);
    throw error;
  }
}

/** Smaller buffers may be parts of Node's pool. */
const ownBytes = 64 * 2 ** 10;

/**
 * Frees what a big array stands in at once, where the garbage collector would wait for more of them. Everything else
 * that stands there is gone too.
 */
export function giveBack({ buffer }: Uint8Array | Float32Array): void {
  if (buffer.byteLength >= ownBytes && buffer instanceof ArrayBuffer) addon().giveBack(buffer);
}

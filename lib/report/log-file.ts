import { type FileHandle, open } from 'node:fs/promises';
import { writeError } from '../files';

/** A file that grows. What goes wrong with it is an ERR_IO that names it. */
export class LogFile {
  private constructor(
    readonly file: string,
    private readonly handle: FileHandle,
  ) {}

  /** @param fresh refuse a file that is there, by undefined; else it is gone on with */
  static async open(file: string, { fresh = false }: { fresh?: boolean } = {}): Promise<LogFile | undefined> {
    try {
      return new LogFile(file, await open(file, fresh ? 'ax' : 'a'));
    } catch (error) {
      if (fresh && (error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
      throw writeError(file, error);
    }
  }

  append(data: string | Uint8Array): Promise<void> {
    return data.length === 0 ? Promise.resolve() : this.#guard(this.handle.appendFile(data));
  }

  /** Cuts off what lies behind so many bytes. */
  truncate(bytes: number): Promise<void> {
    return this.#guard(this.handle.truncate(bytes));
  }

  /** Waits until all of it is on the disk. */
  sync(): Promise<void> {
    return this.#guard(this.handle.sync());
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  async #guard(work: Promise<void>): Promise<void> {
    await work.catch((error: unknown) => {
      throw writeError(this.file, error);
    });
  }
}

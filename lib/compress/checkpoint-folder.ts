import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { sha256 } from '../digests';
import { SsdPruneError } from '../errors';
import { entryOf, makeFolder, readError, replaceFile, writeError } from '../files';
import type { OnnxModel } from '../model/onnx-model';
import { writeModel } from '../model/write';
import type { Checkpoint } from './checkpoint';
import {
  type CheckpointDocument,
  documentFile,
  measure,
  networkFile,
  readDocument,
  stateFile,
  syncFolder,
} from './checkpoint-files';
import { isCheckpointFile, names, workFiles } from './checkpoint-names';
import { FolderLock } from './folder-lock';
import { sealed, unsealed } from './sealed-json';

/** A checkpoint on disk. */
export interface StoredCheckpoint {
  /** Its folder. */
  place: string;
  document: Checkpoint;
  network: string;
  state: string;
}

/** What decides which checkpoints are kept. */
interface Standing {
  best: boolean;
  /** Cuts so far: weights of other networks are not to be compared. */
  cuts: number;
}

const standing = ({ best, cuts }: Checkpoint): Standing => ({ best, cuts: cuts.length });

/** Of what is in a folder; oldest first. */
const checkpointsIn = (entries: readonly string[]): string[] => entries.filter((entry) => names.test(entry)).sort();

/**
 * The checkpoints of a run, each a folder that gets its name when it is complete and on disk: whatever ends the process,
 * those that are there are whole. The last ones are kept, and the one whose weights were judged best.
 */
export class CheckpointFolder {
  /** What was found of each: looked at once, since a file of a checkpoint is large. */
  readonly #known = new Map<string, Standing | undefined>();

  private constructor(
    readonly folder: string,
    private readonly keep: number,
    private readonly lock: FolderLock,
  ) {}

  /**
   * Looks whether a run may use the folder, and makes nothing: before all else, since what is done with other outputs of
   * an earlier run hangs on what becomes of its checkpoints.
   * @throws {SsdPruneError} ERR_OUTPUT_EXISTS where there are checkpoints and it is said neither to resume nor to start
   * over
   */
  static async look(folder: string, { resume, force }: { resume: boolean; force: boolean }): Promise<void> {
    const entries = await readdir(folder).catch(() => []);
    if (resume || force || !entries.some((entry) => names.test(entry))) return;
    throw new SsdPruneError(
      'ERR_OUTPUT_EXISTS',
      `${folder} holds checkpoints of a run: go on with --resume, or start over with --force`,
    );
  }

  /** The newest checkpoint that says what it is of; whether the rest of it is whole {@link latest} finds out. */
  static async newest(folder: string): Promise<Pick<StoredCheckpoint, 'place' | 'document'> | undefined> {
    for (const name of checkpointsIn(await readdir(folder).catch(() => [])).reverse()) {
      const place = path.join(folder, name);
      const document = await readDocument(place).catch(() => undefined);
      if (document) return { place, document };
    }
    return undefined;
  }

  /** What stands there that is no output's place: other files may lie in the same folder. */
  static async files(folder: string): Promise<string[]> {
    const entries = await readdir(folder).catch(() => undefined);
    if (!entries) return [folder];
    return entries.filter(isCheckpointFile).map((entry) => path.join(folder, entry));
  }

  /**
   * Whether what a run reads lies in a checkpoint, which is removed when it is no longer kept.
   * @throws {SsdPruneError} ERR_USAGE naming the file
   */
  static async refuseInputs(folder: string, read: readonly string[]): Promise<void> {
    for (const file of read) {
      if (!names.test(await entryOf(folder, file))) continue;
      throw new SsdPruneError(
        'ERR_USAGE',
        `${file} lies in a checkpoint of ${folder}, which this run would remove: copy it to another place, or set compressor.checkpoint_path to another folder`,
      );
    }
  }

  /**
   * What an earlier run left stays until {@link startOver}.
   * @throws {SsdPruneError} ERR_USAGE where another process writes into the folder; ERR_IO
   */
  static async open(folder: string, { keep }: { keep: number }): Promise<CheckpointFolder> {
    await makeFolder(folder);
    const lock = await FolderLock.take(folder);
    try {
      const opened = new CheckpointFolder(folder, keep, lock);
      await opened.#sweep();
      return opened;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Removes what an earlier run left. */
  async startOver(): Promise<void> {
    for (const name of await this.#names()) await this.#remove(name);
    await this.dropWork();
  }

  close(): Promise<void> {
    return this.lock.release();
  }

  /**
   * The newest checkpoint that is whole; undefined where there is none at all.
   * @param onDamaged told of newer ones that are not
   * @throws {SsdPruneError} ERR_BAD_DATA where none of those that are there is whole
   */
  async latest(onDamaged: (message: string) => void): Promise<StoredCheckpoint | undefined> {
    const problems: string[] = [];
    for (const name of (await this.#names()).reverse()) {
      try {
        const found = await this.#read(name);
        for (const problem of problems) onDamaged(`${problem}; going on from ${name}`);
        return found;
      } catch (error) {
        if (!(error instanceof SsdPruneError)) throw error;
        problems.push(error.message);
      }
    }
    if (problems.length === 0) return undefined;
    throw new SsdPruneError(
      'ERR_BAD_DATA',
      `No checkpoint in ${this.folder} is whole: ${problems.join('; ')}. Start over with --force instead of --resume.`,
    );
  }

  /**
   * Writes a checkpoint, and removes those that are no longer kept.
   * @param saveState writes the training's state into the file it is given
   * @returns its folder
   */
  async save(document: Checkpoint, network: OnnxModel, saveState: (file: string) => Promise<void>): Promise<string> {
    const last = (await this.#names()).at(-1);
    const number = last === undefined ? 0 : Number(last.slice(0, 6)) + 1;
    const { position, step } = document;
    const name = `${String(number).padStart(6, '0')}-epoch-${position.epoch}-step-${step}`;
    const [temporary, place] = [path.join(this.folder, `.${name}`), path.join(this.folder, name)];
    try {
      await mkdir(temporary);
      await writeModel(network, path.join(temporary, networkFile));
      await saveState(path.join(temporary, stateFile));
      const files: CheckpointDocument['files'] = {};
      for (const file of [networkFile, stateFile]) files[file] = await measure(path.join(temporary, file));
      const whole: CheckpointDocument = { ...document, files };
      await replaceFile(path.join(temporary, documentFile), [Buffer.from(sealed(whole))]);
      await syncFolder(temporary);
      await rename(temporary, place);
      await syncFolder(this.folder);
      this.#known.set(name, standing(whole));
    } catch (error) {
      await rm(temporary, { recursive: true, force: true }).catch(() => {});
      throw writeError(place, error);
    }
    await this.#retain();
    return place;
  }

  /** What a strategy keeps of unfinished work; undefined where there is nothing whole. */
  async work(strategy: string): Promise<unknown> {
    const text = await readFile(this.#workFile(strategy), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : unsealed(text);
  }

  /** @throws {SsdPruneError} ERR_IO */
  async saveWork(strategy: string, document: object): Promise<void> {
    await replaceFile(this.#workFile(strategy), [Buffer.from(sealed(document))]);
  }

  /** Removes all unfinished work: it is begun anew, or a checkpoint holds what came of it. */
  async dropWork(): Promise<void> {
    for (const entry of await readdir(this.folder)) {
      if (workFiles.test(entry)) await rm(path.join(this.folder, entry), { force: true });
    }
  }

  #workFile(strategy: string): string {
    return path.join(this.folder, `unfinished-${sha256([strategy]).slice(0, 16)}.json`);
  }

  /** Oldest first. */
  async #names(): Promise<string[]> {
    const entries = await readdir(this.folder).catch((error) => {
      throw readError(`folder ${this.folder}`, error);
    });
    return checkpointsIn(entries);
  }

  async #read(name: string): Promise<StoredCheckpoint> {
    const place = path.join(this.folder, name);
    const document = await readDocument(place);
    for (const [file, { bytes, crc32: sum }] of Object.entries(document.files)) {
      const found = await measure(path.join(place, file));
      if (found.bytes !== bytes || found.crc32 !== sum) {
        throw new SsdPruneError('ERR_BAD_DATA', `${path.join(place, file)} is cut short or was changed`);
      }
    }
    const [network, state] = [path.join(place, networkFile), path.join(place, stateFile)];
    return { place, document, network, state };
  }

  /** What a process left that ended while it wrote or removed. */
  async #sweep(): Promise<void> {
    for (const entry of await readdir(this.folder)) {
      if (entry.startsWith('.unfinished-') || (entry.startsWith('.') && names.test(entry.slice(1)))) {
        await rm(path.join(this.folder, entry), { recursive: true, force: true });
      }
    }
  }

  /**
   * The last ones that are whole, and the best one of the network that they are of. One that is damaged keeps no place
   * of theirs, and stays as long as it is newer than the oldest of them.
   */
  async #retain(): Promise<void> {
    const there = await this.#names();
    for (const name of there) {
      if (this.#known.has(name)) continue;
      const found = await this.#read(name).catch(() => undefined);
      this.#known.set(name, found && standing(found.document));
    }
    const whole = there.filter((name) => this.#known.get(name));
    const oldest = there.indexOf(whole.slice(-this.keep)[0]!);
    const { cuts } = this.#known.get(whole.at(-1)!)!;
    const best = whole.findLast((name) => {
      const own = this.#known.get(name)!;
      return own.best && own.cuts === cuts;
    });
    for (const name of there.slice(0, oldest)) if (name !== best) await this.#remove(name);
  }

  /** Under another name first: a folder that loses its files one by one must not look like a checkpoint. */
  async #remove(name: string): Promise<void> {
    const hidden = path.join(this.folder, `.${name}`);
    await rename(path.join(this.folder, name), hidden).catch((error) => {
      throw writeError(path.join(this.folder, name), error);
    });
    await rm(hidden, { recursive: true, force: true });
  }
}

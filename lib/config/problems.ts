import { SsdPruneError } from '../errors';
import { describePlace, type Place } from './located';

/** What is wrong with a configuration; all of it is told at once. */
export class Problems {
  private readonly found: { place: Place; message: string }[] = [];

  add(place: Place, message: string): void {
    this.found.push({ place, message });
  }

  /** @throws {SsdPruneError} ERR_BAD_CONFIG with a line for each problem, in the order of the files, the first one first */
  throwIfAny(): void {
    if (this.found.length === 0) return;
    const sources = [...new Set(this.found.map(({ place }) => place.source))];
    // An option stands behind the files that it changes.
    const rank = ({ source, line }: Place) => (line === undefined ? sources.length : 0) + sources.indexOf(source);
    const lines = this.found
      .sort((a, b) => {
        const [one, other] = [a.place, b.place];
        return (
          rank(one) - rank(other) || (one.line ?? 0) - (other.line ?? 0) || (one.column ?? 0) - (other.column ?? 0)
        );
      })
      .map(({ place, message }) => `${describePlace(place)}: ${message}`);
    throw new SsdPruneError('ERR_BAD_CONFIG', [...new Set(lines)].join('\n'));
  }
}

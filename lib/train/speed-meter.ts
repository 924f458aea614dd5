/** Seconds that a speed is averaged over. */
const windowSeconds = 10;

/** How fast steps go by. Only shown: no clock decides a bit of a run. */
export class SpeedMeter {
  #images = 0;
  #seconds = 0;
  #recent: { images: number; seconds: number }[] = [];

  /** Counts a step that took so long, waiting for its pictures included. */
  add(images: number, seconds: number): void {
    this.#images += images;
    this.#seconds += seconds;
    this.#recent.push({ images, seconds });
    let kept = this.#recent.reduce((sum, step) => sum + step.seconds, 0);
    while (this.#recent.length > 1 && kept - this.#recent[0]!.seconds > windowSeconds) {
      kept -= this.#recent.shift()!.seconds;
    }
  }

  /** Images a second of the last steps; 0 before the first. */
  get now(): number {
    return speed(
      this.#recent.reduce((sum, { images }) => sum + images, 0),
      this.#recent.reduce((sum, { seconds }) => sum + seconds, 0),
    );
  }

  /** Of all steps. */
  get overall(): number {
    return speed(this.#images, this.#seconds);
  }
}

const speed = (images: number, seconds: number): number => (seconds > 0 ? images / seconds : 0);

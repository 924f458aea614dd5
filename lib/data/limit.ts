/** Runs work, at most `count` pieces at a time, in the order in which it is given. */
export function limit(count: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = count;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place is handed on, so that nobody who comes later takes it.
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

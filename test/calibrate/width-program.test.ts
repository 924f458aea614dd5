import { uniform } from '../../lib/model/random';

const { WidthProgram } =
  require('../../dist/lib/calibrate/width-program') as typeof import('../../lib/calibrate/width-program');

interface Table {
  variables: number[];
  values: Float64Array;
}

const sizes = [3, 4, 2, 5, 3];
const random = uniform(7, 'width program');
let draws = 0;
const tableOf = (variables: number[]): Table => ({
  variables,
  values: Float64Array.from({ length: variables.reduce((n, v) => n * sizes[v]!, 1) }, () => random(draws++)),
});

/** Sum of all tables, read as the contract says: row-major, the last variable fastest. */
const sumAt = (tables: readonly Table[], positions: readonly number[]): number =>
  tables.reduce((sum, { variables, values }) => {
    const index = variables.reduce((at, v) => at * sizes[v]! + positions[v]!, 0);
    return sum + values[index]!;
  }, 0);

function least(tables: readonly Table[]): number {
  let best = Number.POSITIVE_INFINITY;
  const positions = sizes.map(() => 0);
  const visit = (variable: number): void => {
    if (variable === sizes.length) {
      best = Math.min(best, sumAt(tables, positions));
      return;
    }
    for (let p = 0; p < sizes[variable]!; p++) {
      positions[variable] = p;
      visit(variable + 1);
    }
  };
  visit(0);
  return best;
}

const scopes: Record<string, number[][]> = {
  'a chain': [[0, 1], [1, 2], [2, 3], [3, 4], [0], [3]],
  'a loop': [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 0],
  ],
  'variables in any order, three at a time': [[4, 0, 2], [3, 1], [2, 1], [0]],
  'unconnected ones': [[0], [4, 3]],
  'all with all': [
    [0, 1, 2, 3, 4],
    [2, 0],
    [4, 1],
  ],
};

describe('least sum of functions of few widths each', () => {
  test.each(Object.entries(scopes))('%s: as low as the best of all', (_, own) => {
    for (let draw = 0; draw < 10; draw++) {
      const tables = own.map(tableOf);
      const found = new WidthProgram(sizes, own).solve(
        tables.map(({ values }) => values),
        sizes.map(() => 0),
      );
      expect(sumAt(tables, found)).toBeCloseTo(least(tables), 12);
    }
  });

  test('what is entangled too much is improved until no single position can be', () => {
    // Tables of all pairs of 12 variables with 30 positions: their joint table would have 30¹¹ entries.
    const many = Array.from({ length: 12 }, () => 30);
    const pairs = many.flatMap((_, a) => many.slice(a + 1).map((__, b) => [a, a + 1 + b]));
    const tables = pairs.map((variables) => ({
      variables,
      values: Float64Array.from({ length: 900 }, () => random(draws++)),
    }));
    /** Of the tables that hang on a variable, in their order. */
    const sumOf = (variable: number, positions: readonly number[]): number =>
      tables
        .filter(({ variables }) => variables.includes(variable))
        .reduce((total, { variables: [a, b], values }) => total + values[positions[a!]! * 30 + positions[b!]!]!, 0);
    const sum = (positions: readonly number[]): number =>
      tables.reduce((total, { variables: [a, b], values }) => total + values[positions[a!]! * 30 + positions[b!]!]!, 0);
    const start = many.map(() => 3);
    const found = new WidthProgram(many, pairs).solve(
      tables.map(({ values }) => values),
      start,
    );
    expect(sum(found)).toBeLessThan(sum(start));
    // The same, every sum made anew.
    let positions = start;
    for (let last: readonly number[] = []; last !== positions; ) {
      last = positions;
      for (let variable = 0; variable < 12; variable++) {
        const sums = Array.from({ length: 30 }, (_, p) => sumOf(variable, positions.with(variable, p)));
        const best = sums.indexOf(Math.min(...sums));
        if (sums[best]! < sums[positions[variable]!]!) positions = positions.with(variable, best);
      }
    }
    expect(found).toEqual(positions);
    for (let variable = 0; variable < 12; variable++) {
      for (let p = 0; p < 30; p++) {
        expect(sum(found.with(variable, p))).toBeGreaterThanOrEqual(sum(found) - 1e-9);
      }
    }
  });
});

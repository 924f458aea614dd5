/** A function of the positions of a few layers on their grids; values are row-major, the last variable runs fastest. */
export interface Table {
  readonly variables: readonly number[];
  readonly values: Float64Array;
}

/** Entries of the largest table that is built; where layers are entangled more, positions are improved one by one. */
const maxEntries = 2_000_000;

/**
 * Least sum of functions that hang on few positions each. Positions are eliminated one after the other, the cheapest
 * first: along a chain of layers this is dynamic programming over neighbouring widths, and as exact on any graph whose
 * tables stay small. Elsewhere single positions are improved until none can be.
 */
export class WidthProgram {
  /** Positions in the order of their elimination; undefined where the tables would get too large. */
  private readonly order: readonly number[] | undefined;
  /** By variable the tables that hang on it: the same at every price, and there is one for every pair of layers. */
  private readonly uses: readonly (readonly TableUse[])[];

  /**
   * @param sizes how many positions each variable has
   * @param scopes variables of the tables that will be given, in their order
   */
  constructor(
    private readonly sizes: readonly number[],
    private readonly scopes: readonly (readonly number[])[],
  ) {
    this.order = eliminationOrder(sizes, scopes);
    this.uses = this.order ? [] : usesOf(sizes, scopes);
  }

  /**
   * @param values of each table, row-major, the last variable of its scope fastest
   * @param start where the improvement of single positions begins, if it comes to that
   */
  solve(values: readonly Float64Array[], start: readonly number[]): number[] {
    if (!this.order) return this.descend(values, start);
    const tables = values.map((own, i): Table => ({ variables: this.scopes[i]!, values: own }));
    return this.eliminate(this.order, tables);
  }

  private eliminate(order: readonly number[], tables: readonly Table[]): number[] {
    let open = [...tables];
    const choices: { variable: number; scope: number[]; best: Int32Array }[] = [];
    for (const variable of order) {
      const own = open.filter(({ variables }) => variables.includes(variable));
      const scope = [...new Set(own.flatMap(({ variables }) => variables))].filter((other) => other !== variable);
      const { best, values } = this.minimum(variable, scope, own);
      choices.push({ variable, scope, best });
      open = [...open.filter((table) => !own.includes(table)), { variables: scope, values }];
    }
    const positions = new Array<number>(this.sizes.length).fill(0);
    for (const { variable, scope, best } of choices.reverse()) {
      positions[variable] = best[scope.reduce((index, other) => index * this.sizes[other]! + positions[other]!, 0)]!;
    }
    return positions;
  }

  /** For each assignment of `scope` the variable's best position and the sum there; the widest of equal ones. */
  private minimum(
    variable: number,
    scope: readonly number[],
    tables: readonly Table[],
  ): { best: Int32Array; values: Float64Array } {
    const strides = tables.map((table) => stridesOf(this.sizes, table.variables));
    const count = scope.reduce((product, other) => product * this.sizes[other]!, 1);
    const [best, values] = [new Int32Array(count), new Float64Array(count)];
    const at = scope.map(() => 0);
    const offsets = tables.map(() => 0);
    const own = strides.map((stride) => stride[variable]!);
    for (let index = 0; index < count; index++) {
      let least = Number.POSITIVE_INFINITY;
      for (let position = this.sizes[variable]! - 1; position >= 0; position--) {
        let sum = 0;
        for (let t = 0; t < tables.length; t++) sum += tables[t]!.values[offsets[t]! + position * own[t]!]!;
        if (sum < least) [least, best[index]] = [sum, position];
      }
      values[index] = least;
      // The next assignment, the last variable of the scope first.
      for (let i = scope.length - 1; i >= 0; i--) {
        const other = scope[i]!;
        const step = ++at[i]! < this.sizes[other]! ? 1 : 1 - this.sizes[other]!;
        for (let t = 0; t < tables.length; t++) offsets[t]! += step * strides[t]![other]!;
        if (step === 1) break;
        at[i] = 0;
      }
    }
    return { best, values };
  }

  private descend(values: readonly Float64Array[], start: readonly number[]): number[] {
    const positions = [...start];
    for (let improved = true; improved; ) {
      improved = false;
      for (const [variable, own] of this.uses.entries()) {
        // Where each table begins for the positions of the others.
        const begins = own.map(({ others }) => {
          let index = 0;
          for (const { variable: other, stride } of others) index += positions[other]! * stride;
          return index;
        });
        const sumAt = (position: number): number => {
          let sum = 0;
          for (let i = 0; i < own.length; i++) {
            const { table, stride } = own[i]!;
            sum += values[table]![begins[i]! + position * stride]!;
          }
          return sum;
        };
        let best = positions[variable]!;
        let least = sumAt(best);
        for (let position = 0; position < this.sizes[variable]!; position++) {
          const sum = sumAt(position);
          if (sum < least - 1e-12 * Math.abs(least)) [least, best, improved] = [sum, position, true];
        }
        positions[variable] = best;
      }
    }
    return positions;
  }
}

/** Where a variable's position stands in a table's index, beside those of the others. */
interface TableUse {
  readonly table: number;
  readonly stride: number;
  readonly others: readonly { readonly variable: number; readonly stride: number }[];
}

function usesOf(sizes: readonly number[], scopes: readonly (readonly number[])[]): TableUse[][] {
  const uses: TableUse[][] = sizes.map(() => []);
  scopes.forEach((scope, table) => {
    const strides = stridesOf(sizes, scope);
    const parts = scope.map((variable) => ({ variable, stride: strides[variable]! }));
    for (const { variable, stride } of parts) {
      uses[variable]!.push({ table, stride, others: parts.filter((part) => part.variable !== variable) });
    }
  });
  return uses;
}

/** How far a step of each variable leads in a table of this scope; 0 for those that the table doesn't hang on. */
function stridesOf(sizes: readonly number[], scope: readonly number[]): number[] {
  const strides = new Array<number>(sizes.length).fill(0);
  let stride = 1;
  for (const variable of scope.toReversed()) {
    strides[variable] = stride;
    stride *= sizes[variable]!;
  }
  return strides;
}

/** Always the variable next whose elimination needs the smallest table. */
function eliminationOrder(
  sizes: readonly number[],
  scopes: readonly (readonly number[])[],
): readonly number[] | undefined {
  let open = scopes.map((scope) => new Set(scope));
  const left = new Set(sizes.keys());
  const order: number[] = [];
  while (left.size > 0) {
    let next: { variable: number; joint: Set<number>; entries: number } | undefined;
    for (const variable of left) {
      const joint = new Set([variable, ...open.filter((scope) => scope.has(variable)).flatMap((scope) => [...scope])]);
      let entries = 1;
      for (const other of joint) entries *= sizes[other]!;
      if (!next || entries < next.entries) next = { variable, joint, entries };
    }
    const { variable, joint, entries } = next!;
    if (entries > maxEntries) return undefined;
    joint.delete(variable);
    open = [...open.filter((scope) => !scope.has(variable)), joint];
    left.delete(variable);
    order.push(variable);
  }
  return order;
}

/** Why channels can't be cut: the node at which it shows, its operator, and the reason in words. */
export interface Lock {
  readonly node: string;
  readonly op: string;
  readonly reason: string;
}

/** Per place along one axis the atom that lives there; −1 where the place belongs to no channel and stays. */
export type Label = Int32Array;

/**
 * Union-find over *atoms*, the single places along the axes of parameters and activations that are followed through
 * the graph. Atoms that must be cut together end in one class; a lock on one of them locks its class.
 */
export class ChannelAtoms {
  private parents = new Int32Array(1 << 14);
  private readonly locks = new Map<number, Lock>();
  private created = 0;

  /** How many atoms there are: they are the numbers below it. */
  get size(): number {
    return this.created;
  }

  /** `count` new atoms, each a class of its own. */
  create(count: number): Label {
    const first = this.created;
    this.created += count;
    if (this.created > this.parents.length) {
      const longer = new Int32Array(Math.max(this.created, 2 * this.parents.length));
      longer.set(this.parents);
      this.parents = longer;
    }
    const label = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      label[i] = first + i;
      this.parents[first + i] = first + i;
    }
    return label;
  }

  /** The atom that stands for the class of `atom`. */
  find(atom: number): number {
    const { parents } = this;
    let root = atom;
    while (parents[root] !== root) root = parents[root]!;
    for (let next = atom; next !== root; ) {
      const parent = parents[next]!;
      parents[next] = root;
      next = parent;
    }
    return root;
  }

  /** Puts two atoms into one class; the earlier atom stands for it. An atom joined with no channel (−1) is locked. */
  join(a: number, b: number, why: Lock): void {
    if (a < 0 || b < 0) {
      if (a >= 0) this.lock(a, why);
      if (b >= 0) this.lock(b, why);
      return;
    }
    const x = this.find(a);
    const y = this.find(b);
    if (x === y) return;
    const root = Math.min(x, y);
    const child = Math.max(x, y);
    this.parents[child] = root;
    const lock = this.locks.get(child);
    if (lock) {
      this.locks.delete(child);
      this.lock(root, lock);
    }
  }

  /** Joins two labels place by place. A side that is not followed (null) locks the other. */
  joinLabels(a: Label | null, b: Label | null, why: Lock): void {
    if (a === b) return;
    if (!a || !b || a.length !== b.length) {
      this.lockLabel(a, why);
      this.lockLabel(b, why);
      return;
    }
    for (let i = 0; i < a.length; i++) this.join(a[i]!, b[i]!, why);
  }

  /** The first reason given for a class stays. */
  lock(atom: number, why: Lock): void {
    if (atom < 0) return;
    const root = this.find(atom);
    if (!this.locks.has(root)) this.locks.set(root, why);
  }

  lockLabel(label: Label | null | undefined, why: Lock): void {
    if (label) for (const atom of label) this.lock(atom, why);
  }

  lockOf(atom: number): Lock | undefined {
    return this.locks.get(this.find(atom));
  }
}

/*
 * What a benchmark is: a part with a name that gives figures, with the goal and the physical limit each has.
 */
import type { Chains } from './chain.ts'
import type { Limits } from './limits.ts'

/** One measured figure. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The promise that stands for it. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number }
  /** What the machine could give at most, and why: the table prints how near the figure comes. */
  readonly limit?: { readonly value: number; readonly by: string }
}

/** Figures that belong together. */
export interface Table {
  readonly title: string
  readonly figures: readonly Figure[]
  /** What a reader must know to read them right. */
  readonly notes?: readonly string[]
}

/** What a part finds when it runs. */
export interface BenchContext {
  /** A folder of its own for the part, removed at the end. */
  readonly scratch: string
  /** What this machine can do at most, measured in this run. */
  readonly limits: Limits
  /** Generated chains, made once a run. */
  readonly chains: Chains
  /** The installed Go's version line; undefined without Go. */
  readonly go: string | undefined
  /** Tells what is going on. */
  log(line: string): void
}

/** A benchmark. */
export interface BenchPart {
  /** As it is asked for: `npm run bench -- NAME`. */
  readonly name: string
  /** One line of what it measures. */
  readonly about: string
  run(context: BenchContext): Promise<readonly Table[]>
}

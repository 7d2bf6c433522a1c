/*
 * An application in ten lines: a transaction is a whole number, as text, that is added to a counter.
 * Everybody who makes or follows the chain runs this same code. The other examples import it.
 */
import { defineExecutor } from 'evolve-node'

/** The counter. `createNode({ executor: counter })` runs it. */
export const counter = defineExecutor({
  name: 'counter',
  genesis: () => ({ count: 0n, additions: 0 }),
  decode: (bytes) => BigInt(new TextDecoder().decode(bytes)),
  apply: (state, number) => ({ count: state.count + number, additions: state.additions + 1 }),
})

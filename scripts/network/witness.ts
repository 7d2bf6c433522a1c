import type { NodeMessage } from './messages.ts'

/** What processes told, and what does not fit together. */
export interface Witness {
  readonly faults: string[]
  /** Highest height any process told of. */
  readonly highest: number
  /** Takes a message of the process called `name`. */
  hear(name: string, message: NodeMessage): void
  /** Height the process told of last. */
  heightOf(name: string): number
  finalOf(name: string): number
}

interface Told {
  height: number
  final: number
}

/** Makes a {@link Witness}: every height has one header and one state root, whoever tells of it, and heights never go back. */
export function createWitness(): Witness {
  const faults: string[] = []
  const blocks = new Map<number, { readonly hash: string; readonly stateRoot: string; readonly by: string }>()
  const told = new Map<string, Told>()
  let highest = 0

  function of(name: string): Told {
    const known = told.get(name) ?? { height: 0, final: 0 }
    told.set(name, known)
    return known
  }

  return {
    faults,
    get highest() {
      return highest
    },
    heightOf: (name) => of(name).height,
    finalOf: (name) => of(name).final,
    hear(name, message) {
      const known = of(name)
      switch (message.type) {
        case 'started':
          if (message.height < known.height) {
            faults.push(`${name} had block ${known.height} before the kill and ${message.height} after it`)
          }
          if (message.finalHeight < known.final) {
            faults.push(
              `${name} had ${known.final} final before the kill and ${message.finalHeight} after it`,
            )
          }
          return
        case 'block': {
          const { height, hash, stateRoot } = message
          if (height <= known.height) {
            faults.push(`${name} told of block ${height} after ${known.height}`)
          }
          known.height = Math.max(known.height, height)
          highest = Math.max(highest, height)
          const before = blocks.get(height)
          if (before === undefined) blocks.set(height, { hash, stateRoot, by: name })
          else if (before.hash !== hash || before.stateRoot !== stateRoot) {
            faults.push(`${name} has another block ${height} than ${before.by}: ${hash}, not ${before.hash}`)
          }
          return
        }
        case 'final':
          known.final = Math.max(known.final, message.height)
          return
        case 'failed':
          faults.push(`${name} stopped itself: ${message.code}, ${message.message}`)
          return
        case 'status':
      }
    },
  }
}

/*
 * Chains of any length with real signatures, made in a process of their own and kept for one run.
 */
import { join } from 'node:path'
import { forkProcess } from './child.ts'

/** What the blocks of a chain hold: nothing, ten small transactions, or transactions of 1 MB together. */
export type Filling = 'empty' | 'small' | 'large'

/** Which chain. */
export interface ChainPlan {
  readonly filling: Filling
  readonly blocks: number
  /** Also as a file that the Go programs read. */
  readonly forGo?: boolean
}

/** A generated chain. */
export interface GeneratedChain {
  readonly blocks: number
  /** Folder of the database that holds its headers and data as a node would. */
  readonly home: string
  /** Genesis file as text. */
  readonly genesis: string
  /** Hex, after the last block. */
  readonly stateRoot: string
  readonly lastHeaderHash: string
  /** Bytes of headers and data as peers send them. */
  readonly bytes: number
  /** Folder with `genesis.json` and `chain.bin.gz`, where asked for. */
  readonly goFolder: string
  readonly seconds: number
}

/** Chains of a run. */
export interface Chains {
  /** Makes a chain, or gives the one that was made before. */
  get(plan: ChainPlan): Promise<GeneratedChain>
}

/** Hex of the seed whose key signs every generated chain. */
export const PROPOSER_SEED = '42'.repeat(32)
export const CHAIN_ID = 'bench'

/** Makes {@link Chains} below a folder. */
export function createChains(folder: string, log: (line: string) => void): Chains {
  const made = new Map<string, Promise<GeneratedChain>>()
  async function make(plan: ChainPlan): Promise<GeneratedChain> {
    log(`making a chain of ${plan.blocks} blocks (${plan.filling})`)
    const child = forkProcess<GeneratedChain>('make-chain', { ...plan, folder: join(folder, nameOf(plan)) })
    const chain = await child.message((message): message is GeneratedChain => message.blocks === plan.blocks)
    await child.stop()
    log(`made in ${chain.seconds.toFixed(1)} s`)
    return chain
  }
  return {
    async get(plan) {
      const known = made.get(nameOf(plan))
      if (known !== undefined) return await known
      const chain = make(plan)
      made.set(nameOf(plan), chain)
      return await chain
    },
  }
}

function nameOf({ filling, blocks, forGo = false }: ChainPlan): string {
  return `${filling}-${blocks}${forGo ? '-go' : ''}`
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createDevnet } from '../../src/node/devnet/devnet.ts'
import { createClient } from '../../src/rpc/client/index.ts'

/** A devnet with a block that holds many transactions. */
export interface FullBlock {
  /** Where its aggregator can be asked. */
  readonly base: string
  readonly height: number
  stop(): Promise<void>
}

/** Starts a devnet in this process and has it make a block of `txs` transactions, `key0=…` to `keyN=…`. */
export async function makeFullBlock(txs: number): Promise<FullBlock> {
  const root = mkdtempSync(join(tmpdir(), 'evolve-full-block-'))
  const devnet = createDevnet(
    { env: systemEnv, logger: noopLogger, metrics: noopMetrics },
    { root, blockTime: 500, daBlockTime: 500 },
  )
  async function stop(): Promise<void> {
    await devnet.stop()
    rmSync(root, { recursive: true, force: true })
  }
  try {
    await devnet.start()
    const base = devnet.status().rpc
    const executor = devnet.nodes.find(({ name }) => name === 'aggregator')?.executor
    // All at once, so that they are taken at once.
    await Promise.all(
      Array.from({ length: txs }, async (_, n) => {
        await executor?.submitTx(new TextEncoder().encode(`key${n}=a value that is number ${n}`))
      }),
    )
    for await (const { height, txCount } of createClient(base).subscribeBlocks({ from: 1 })) {
      if (txCount === txs) return { base, height, stop }
      if (txCount > 0)
        throw new Error(`the transactions were split: ${txCount} of them are in block ${height}`)
    }
    throw new Error('the chain ended')
  } catch (error) {
    await stop()
    throw error
  }
}

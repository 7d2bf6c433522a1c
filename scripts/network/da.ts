/*
 * A local DA on disk in a process of its own. Argument: a DaOrder as JSON. Ends when its parent lets go of it.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { createLocalDaNode } from '../../src/node/local-da.ts'
import type { DaOrder } from './messages.ts'

const order: DaOrder = JSON.parse(process.argv[2] ?? '{}')
mkdirSync(order.home, { recursive: true })
const da = createLocalDaNode(
  { env: systemEnv, logger: noopLogger },
  { port: order.port, blockTime: order.blockTime, data: join(order.home, 'da') },
)
const stopped = new Promise<void>((resolve) => process.once('disconnect', resolve))
await da.start()
process.send?.({ type: 'started', height: da.height, finalHeight: 0, took: 0 })
await stopped
await da.stop()

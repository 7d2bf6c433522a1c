/*
 * A local DA that holds what a recorded chain posted. Started by ../recorded.ts; ends when its parent lets go of it.
 */
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { createLocalDa } from '../../src/da/local/local-da.node.ts'
import { blobsOf, readDaRecording } from './da-recording.ts'

const [folder = ''] = process.argv.slice(2)
const da = createLocalDa(
  { env: systemEnv, logger: noopLogger },
  { host: '127.0.0.1', port: 0, blockTime: 1_000 },
)
const stopped = new Promise<void>((resolve) => process.once('disconnect', resolve))
await da.start()
await da.preload(blobsOf(readDaRecording(folder)))
process.send?.({ type: 'listening', addresses: [da.address] })
await stopped
await da.stop()

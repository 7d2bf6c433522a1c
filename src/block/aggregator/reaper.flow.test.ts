import { expect, onTestFinished, test } from 'vitest'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import { createKvExecutor } from '../../execution/kv-executor.ts'
import { createSingleSequencer } from '../../sequencer/single.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { subKv } from '../../store/sub-kv.ts'
import { fromUtf8, utf8 } from '../../util/bytes.ts'
import { createReaper } from './reaper.ts'

const { signal } = new AbortController()

test('from a user to a block: each transaction once, also through a queue that is too small, and again when sent again', async () => {
  const [kv, executorKv] = [createMemoryKv(), createMemoryKv()]
  await Promise.all([kv.start(), executorKv.start()])
  const clock = createVirtualEnv()
  const shared = { env: clock.env, logger: noopLogger, metrics: noopMetrics }
  const executor = createKvExecutor({ kv: executorKv })
  const sequencer = createSingleSequencer({ ...shared, kv: subKv(kv, utf8('q')) }, { maxTxs: 50 })
  const reaper = createReaper({ ...shared, executor, sequencer }, { interval: 1_000 })
  let root = await executor.initChain({ time: 1n, initialHeight: 1, chainId: 'chain' }, { signal })
  await sequencer.start()
  await reaper.start()
  onTestFinished(async () => {
    for (const service of [reaper, sequencer, kv, executorKv]) await service.stop()
  })

  const executed: string[] = []
  async function makeBlock(height: number): Promise<void> {
    const { txs, upTo } = await sequencer.next({ maxBytes: 200, signal })
    const result = await executor.executeTxs({ txs, height, time: 1n, previousStateRoot: root }, { signal })
    root = result.stateRoot
    await kv.batch(sequencer.removal(upTo, height), { sync: true })
    sequencer.committed(upTo, height)
    reaper.committed(txs)
    executed.push(...txs.map((tx) => fromUtf8(tx) ?? ''))
  }

  const sent: string[] = []
  let height = 0
  while (height < 200) {
    for (let i = 0; i < 10 && sent.length < 700; i++) {
      const text = `key ${sent.length}=${height}`
      sent.push(text)
      await executor.submitTx(utf8(text))
    }
    await makeBlock(++height)
    await clock.advance(10)
  }
  expect(executed).toEqual(sent)
  expect([await executor.getTxs({ signal }), sequencer.size]).toEqual([[], 0])

  await executor.submitTx(utf8(sent[0] ?? ''))
  await clock.advance(10)
  await makeBlock(++height)
  expect(executed).toEqual([...sent, sent[0]])
})

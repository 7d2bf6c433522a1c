import { expect, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { createDaChain, heightsTo } from '../../../test/support/da-chain.ts'
import { caughtUp, type DaRig, nextIs, useDaRigs } from '../../../test/support/da-rig.ts'
import { createRecorder } from '../../../test/support/recorder.ts'

/*
 * Where reading begins when nothing was read yet and DA is long, and where it begins again.
 */
const rigFor = useDaRigs()

/** The lowest DA height that was asked for. */
function lowest({ da }: DaRig): number {
  const heights = [...da.calls.keys()].flatMap((call) => {
    const [method, height] = call.split(':')
    return method === 'getAll' ? [Number(height)] : []
  })
  return heights.reduce((a, b) => Math.min(a, b), Infinity)
}

const REPLACED = 'error: the DA chain is another than the one read before; reading it from the start'

const chain = makeChain({ count: 12 })
const { genesis } = chain
const { block, postHeaders, postData, expectIn, inclusion } = createDaChain(chain)

test('who makes the blocks and meets DA for the first time begins near its head, also with blocks', async () => {
  const rig = await rigFor({ genesis, source: { startBelowHead: 10 } })
  await rig.headers.store().append(heightsTo(5).map((height) => block(height).header))
  await rig.data.store().append(heightsTo(5).map((height) => block(height).data))
  rig.da.grow(500)
  await rig.source.start()
  await caughtUp(rig)
  expect([rig.source.next, lowest(rig)]).toEqual([501, 490])
  postHeaders(rig.da, 501, 5)
  await caughtUp(rig)
  expect(await inclusion(rig, 5)).toEqual([501, undefined])
})

test('but where peers told that the chain begins lower, it begins there', async () => {
  const rig = await rigFor({ genesis, source: { startBelowHead: 10 } })
  await rig.headers.store().append([{ ...block(1).header, daHeightHint: 1_200 }])
  postHeaders(rig.da, 1_200, ...heightsTo(5))
  postData(rig.da, 1_201, ...heightsTo(5))
  rig.da.grow(2_000)
  await rig.source.start()
  await caughtUp(rig)
  await expectIn(rig, 5)
  expect(lowest(rig)).toBe(200)
})

test('another DA chain is not read from below where reading once began', async () => {
  const recorder = createRecorder()
  const rig = await rigFor({ genesis, source: { startBelowHead: 10 }, logger: recorder.logger })
  postHeaders(rig.da, 500, 1)
  await rig.source.start()
  await caughtUp(rig)
  await rig.stop()
  rig.da.reorg(1, 499)
  postHeaders(rig.da, 600, 1)
  const again = await rigFor({
    genesis,
    da: rig.da,
    kv: rig.kv,
    source: { startBelowHead: 10 },
    logger: recorder.logger,
  })
  await again.source.start()
  await nextIs(again, 601)
  expect(lowest(again)).toBe(490)
  expect(await inclusion(again, 1)).toEqual([600, undefined])
  expect(recorder.times(REPLACED)).toBe(1)
})

test('one that has not come that far is read from its start', async () => {
  const rig = await rigFor({ genesis, source: { startBelowHead: 10 } })
  postHeaders(rig.da, 500, 1)
  await rig.source.start()
  await caughtUp(rig)
  rig.da.subscribable = false
  rig.da.reorg(1, 3)
  await nextIs(rig, 4)
  expect(lowest(rig)).toBe(1)
  // From here on this is where it once began.
  postHeaders(rig.da, 5, 1)
  postData(rig.da, 5, 1)
  await rig.reached(1)
  await caughtUp(rig)
  expect((await inclusion(rig, 1))[0]).toBe(5)
})

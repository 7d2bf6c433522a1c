import { describe, expect, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { createDaChain, heightsTo } from '../../../test/support/da-chain.ts'
import { caughtUp, nextIs, useDaRigs } from '../../../test/support/da-rig.ts'
import { createRecorder } from '../../../test/support/recorder.ts'
import { daError } from '../../../test/support/scripted-da.ts'

const rigFor = useDaRigs()

const CHANGED = 'warn: the DA chain has changed; reading it again from the fork'
const REPLACED = 'error: the DA chain is another than the one read before; reading it from the start'

const chain = makeChain({ count: 30 })
const { genesis } = chain
const { postHeaders, postData, expectIn, inclusion } = createDaChain(chain)

describe('when the DA chain changes', () => {
  test('it is read again from the fork: blocks stay, and where halves lie is found anew', async () => {
    const recorder = createRecorder()
    const rig = await rigFor({ genesis, logger: recorder.logger })
    for (const height of heightsTo(20)) {
      postHeaders(rig.da, height, height)
      postData(rig.da, height, height)
    }
    await rig.source.start()
    await caughtUp(rig)
    rig.da.reorg(15, 18)
    postHeaders(rig.da, 25, ...heightsTo(20, 15))
    rig.da.grow(30)
    await caughtUp(rig)
    await nextIs(rig, 31)
    await expectIn(rig, 20)
    expect(await inclusion(rig, 14)).toEqual([14, 14])
    expect(await inclusion(rig, 16)).toEqual([25, undefined])
    expect(recorder.times(CHANGED)).toBe(1)
    postData(rig.da, 31, ...heightsTo(22, 15))
    postHeaders(rig.da, 31, 21, 22)
    await rig.reached(22)
    await caughtUp(rig)
    expect(await inclusion(rig, 16)).toEqual([25, 31])
  })

  test('while the node was down, it is noticed at the start', async () => {
    const rig = await rigFor({ genesis })
    for (const height of heightsTo(20)) postHeaders(rig.da, height, height)
    await rig.source.start()
    await caughtUp(rig)
    await rig.stop()
    rig.da.reorg(10, 12)
    postHeaders(rig.da, 22, 10, 11)
    const again = await rigFor({ genesis, da: rig.da, kv: rig.kv })
    await again.source.start()
    await caughtUp(again)
    await nextIs(again, 23)
    expect(await inclusion(again, 9)).toEqual([9, undefined])
    expect(await inclusion(again, 10)).toEqual([22, undefined])
    expect(await inclusion(again, 15)).toEqual([undefined, undefined])
  })

  test('and is shorter, it goes on from its end', async () => {
    const rig = await rigFor({ genesis })
    for (const height of heightsTo(20)) {
      postHeaders(rig.da, height, height)
      postData(rig.da, height, height)
    }
    await rig.source.start()
    await caughtUp(rig)
    rig.da.subscribable = false
    rig.da.reorg(16, 15)
    await nextIs(rig, 16)
    expect(await inclusion(rig, 15)).toEqual([15, undefined])
    expect(await inclusion(rig, 17)).toEqual([undefined, undefined])
    postHeaders(rig.da, 17, ...heightsTo(22, 16))
    postData(rig.da, 17, ...heightsTo(22, 16))
    await rig.reached(22)
    await expectIn(rig, 22)
  })

  test('as a whole, that is said once, and it is read from the start', async () => {
    const recorder = createRecorder()
    const rig = await rigFor({ genesis, logger: recorder.logger })
    for (const height of heightsTo(20)) {
      postHeaders(rig.da, height, height)
      postData(rig.da, height, height)
    }
    rig.da.grow(1_500)
    await rig.source.start()
    await caughtUp(rig)
    rig.da.subscribable = false
    rig.da.reorg(1, 3)
    await nextIs(rig, 4)
    expect(await inclusion(rig, 7)).toEqual([undefined, undefined])
    postHeaders(rig.da, 5, ...heightsTo(25))
    postData(rig.da, 5, ...heightsTo(25))
    await rig.reached(25)
    await caughtUp(rig)
    await expectIn(rig, 25)
    expect(await inclusion(rig, 7)).toEqual([5, 5])
    expect(recorder.times(REPLACED)).toBe(1)
  })
})

describe('while DA fails', () => {
  test('nothing ends, and all is made up for', async () => {
    const recorder = createRecorder()
    const rig = await rigFor({ genesis, logger: recorder.logger })
    for (const height of heightsTo(10)) {
      postHeaders(rig.da, height, height)
      postData(rig.da, height, height)
    }
    await rig.source.start()
    await caughtUp(rig)
    let failures = 0
    const seen = Promise.withResolvers<void>()
    rig.da.subscribable = false
    rig.da.fail = () => {
      if (++failures > 10) seen.resolve()
      return daError(['DA_UNREACHABLE', 'DA_TIMEOUT', 'DA_FAILED', 'DA_UNAUTHORIZED'][failures % 4] ?? '')
    }
    await seen.promise
    expect(rig.source.status().reachable).toBe(false)
    for (const height of heightsTo(20, 11)) {
      postHeaders(rig.da, height, height)
      postData(rig.da, height, height)
    }
    rig.da.fail = undefined
    await rig.reached(20)
    await caughtUp(rig)
    await expectIn(rig, 20)
    expect(rig.source.status()).toMatchObject({ reachable: true, lastError: undefined, next: 21, head: 20 })
  })
})

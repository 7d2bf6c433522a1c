import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { createDaChain, heightsTo } from '../../../test/support/da-chain.ts'
import { caughtUp, createDaRig, type DaRig, useDaRigs } from '../../../test/support/da-rig.ts'
import { createPowerKv, type PowerKv } from '../../../test/support/power-kv.ts'
import { createScriptedDa } from '../../../test/support/scripted-da.ts'
import type { KvPart } from '../../core/kv.ts'
import { createSerial } from '../../util/async.ts'

/*
 * What the reader of DA writes when blocks come by other ways than DA, and what is left when the stores lose some.
 */
const rigFor = useDaRigs()

const COUNT = 24
const chain = makeChain({ count: 60 })
const { genesis } = chain
const { block, postHeaders, postData, expectIn, inclusion } = createDaChain(chain)

/** Blocks enter the stores, as if peers had brought them or this node had made them. */
async function enter(rig: DaRig, from: number, to: number): Promise<void> {
  for (const height of heightsTo(to, from)) {
    if (rig.headers.store().height < height) await rig.headers.store().append([block(height).header])
    if (rig.data.store().height < height) await rig.data.store().append([block(height).data])
  }
}

describe('blocks that enter the stores by themselves', () => {
  test('are written down with the next DA height, and nobody is told of them', async () => {
    const writes: number[] = []
    const part = (it: KvPart): KvPart => ({
      ...it,
      async batch(ops, options) {
        writes.push(ops.length)
        await it.batch(ops, options)
      },
    })
    const rig = await rigFor({ genesis, part })
    rig.da.grow(3)
    await rig.source.start()
    await caughtUp(rig)
    const told: number[] = []
    rig.source.onConsumed((daHeight) => told.push(daHeight))
    const before = writes.length
    await enter(rig, 1, 60)
    rig.da.grow(4)
    await caughtUp(rig)
    expect(writes.length - before).toBe(1)
    expect(told).toEqual([4])
  })

  test('and are gone after a power cut, are looked for where DA has them', async () => {
    const kv = createPowerKv()
    const first = await rigFor({ genesis, kv })
    postHeaders(first.da, 2, ...heightsTo(20, 11))
    postData(first.da, 2, ...heightsTo(20, 11))
    await first.source.start()
    await caughtUp(first)
    // What waited is met by the blocks below it; what comes after that is nobody's.
    await enter(first, 1, 10)
    await first.reached(20)
    first.da.grow(3)
    await caughtUp(first)
    await enter(first, 21, 30)
    const second = await rigFor({ genesis, da: first.da, kv: await kv.afterPowerCut() })
    const { height } = second.headers.store()
    expect(height).toBeGreaterThanOrEqual(20)
    await second.data.store().truncate(12)
    await second.headers.store().truncate(15)
    await second.source.start()
    await second.reached(20)
    await expectIn(second, 20)
    expect(await inclusion(second, 17)).toEqual([2, 2])
  })
})

describe('whatever brings blocks and takes them away', () => {
  type Step =
    | { readonly do: 'peers'; readonly count: number }
    | { readonly do: 'da'; readonly count: number }
    | { readonly do: 'cut'; readonly header: number; readonly data: number }
    | { readonly do: 'restart' | 'power' }
  const height = fc.integer({ min: 1, max: COUNT })
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant('peers' as const), count: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ do: fc.constant('da' as const), count: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ do: fc.constant('cut' as const), header: height, data: height }),
    fc.record({ do: fc.constantFrom('restart' as const, 'power' as const) }),
  )
  const place = fc.integer({ min: 1, max: 40 })
  const plan = fc.record({
    headersAt: fc.array(place, { minLength: COUNT, maxLength: COUNT }),
    dataAt: fc.array(place, { minLength: COUNT, maxLength: COUNT }),
    steps: fc.array(step, { maxLength: 14 }),
    offline: fc.boolean(),
  })

  test('what lay on DA comes back from there', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ headersAt, dataAt, steps, offline }) => {
        const da = createScriptedDa()
        let kv: PowerKv = createPowerKv()
        // As the sync services do, the stores change for one at a time.
        const serial = createSerial()
        const open = async (): Promise<DaRig> => {
          const opened = await createDaRig({ genesis, da, kv })
          const headers = opened.headers.insert.bind(opened.headers)
          const data = opened.data.insert.bind(opened.data)
          opened.headers.insert = async (...args) => await serial.run(async () => await headers(...args))
          opened.data.insert = async (...args) => await serial.run(async () => await data(...args))
          return opened
        }
        let rig = await open()
        let top = 0
        const grow = (to: number): void => {
          for (; top < Math.min(to, 41); top++) {
            for (const at of heightsTo(COUNT)) {
              if (headersAt[at - 1] === top + 1) postHeaders(da, top + 1, at)
              if (dataAt[at - 1] === top + 1) postData(da, top + 1, at)
            }
            da.grow(top + 1)
          }
        }
        const begin = async (on: PowerKv): Promise<void> => {
          await rig.stop()
          kv = on
          rig = await open()
        }
        const cut = async (header: number, data: number): Promise<void> => {
          await serial.run(async () => {
            await rig.data.store().truncate(Math.min(header, data))
            await rig.headers.store().truncate(header)
          })
        }
        try {
          await rig.source.start()
          for (const one of steps) {
            switch (one.do) {
              case 'peers': {
                await serial.run(async () => {
                  await enter(rig, 1, Math.min(COUNT, rig.headers.store().height + one.count))
                })
                break
              }
              case 'da':
                grow(top + one.count)
                if (top > 0) await caughtUp(rig)
                break
              case 'cut':
                if (offline) await rig.source.stop()
                await cut(one.header, one.data)
                await rig.source.start()
                break
              case 'restart':
              case 'power':
                await begin(one.do === 'power' ? await kv.afterPowerCut() : kv)
                await rig.source.start()
            }
          }
          grow(41)
          await caughtUp(rig)
          await rig.reached(COUNT)
          await expectIn(rig, COUNT)
        } finally {
          await rig.stop()
        }
      }),
      { numRuns: 60 },
    )
  })
})

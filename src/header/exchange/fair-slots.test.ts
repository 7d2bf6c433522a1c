import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFairSlots, type FairSlots } from './fair-slots.ts'

const signal = new AbortController().signal

function make(options: { perPeer?: number; total?: number; reserved?: number } = {}): FairSlots {
  const isConfigured = (peer: string): boolean => peer === 'friend'
  return createFairSlots({ perPeer: 2, total: 4, reserved: 0, ...options, isConfigured })
}

/** Asks for a place and notes in `log` when it is given. */
async function ask(slots: FairSlots, peer: string, log: string[]): Promise<() => void> {
  const release = await slots.acquire(peer, { signal })
  log.push(peer)
  return release
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

describe('fair slots', () => {
  test('one peer has only its own number of places', async () => {
    const slots = make()
    const log: string[] = []
    const releases = [await ask(slots, 'a', log), await ask(slots, 'a', log)]
    const third = ask(slots, 'a', log)
    await settle()
    expect(log).toEqual(['a', 'a'])
    await ask(slots, 'b', log)
    expect(slots.taken).toBe(3)
    releases[0]?.()
    await third
    expect(log).toEqual(['a', 'a', 'b', 'a'])
  })

  test('a free place goes to the next peer, not to the next request', async () => {
    const slots = make({ total: 1, perPeer: 1 })
    const log: string[] = []
    const first = await ask(slots, 'x', log)
    const waiting = ['a', 'a', 'a', 'b', 'c'].map(async (peer) => (await ask(slots, peer, log))())
    first()
    await Promise.all(waiting)
    expect(log.join('')).toBe('xabcaa')
  })

  test('who came while others waited does not come before them', async () => {
    const slots = make({ total: 1, perPeer: 1 })
    const log: string[] = []
    const first = await ask(slots, 'a', log)
    const second = ask(slots, 'b', log)
    first()
    const third = ask(slots, 'c', log)
    ;(await second)()
    ;(await third)()
    expect(log.join('')).toBe('abc')
  })

  test('reserved places are for configured peers only, and come before the common ones', async () => {
    const slots = make({ total: 2, reserved: 1 })
    const log: string[] = []
    const friend = await ask(slots, 'friend', log)
    await ask(slots, 'a', log)
    await ask(slots, 'b', log)
    expect(slots.taken).toBe(3)
    const stranger = ask(slots, 'c', log)
    friend()
    await settle()
    expect(log).toEqual(['friend', 'a', 'b'])
    await ask(slots, 'friend', log)
    await settle()
    expect(slots.taken).toBe(3)
    expect(log).not.toContain('c')
    stranger.catch(() => undefined)
  })

  test('an aborted wait leaves the line, and gives on a place that came with the abort', async () => {
    const slots = make({ total: 1, perPeer: 1 })
    const log: string[] = []
    const first = await ask(slots, 'a', log)
    const gone = new AbortController()
    const leaving = slots.acquire('b', { signal: gone.signal })
    const last = ask(slots, 'c', log)
    gone.abort(new Error('gone'))
    first()
    await expect(leaving).rejects.toThrow('gone')
    ;(await last)()

    const again = await ask(slots, 'a', log)
    const both = new AbortController()
    const lucky = slots.acquire('b', { signal: both.signal })
    again()
    both.abort(new Error('both'))
    await lucky.then(
      (release) => release(),
      () => undefined,
    )
    await settle()
    expect(slots.taken).toBe(0)
  })

  test('never gives too many places, and all are given in the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'b', 'c', 'friend'), { maxLength: 40 }),
        async (peers) => {
          const slots = make({ total: 3, reserved: 1 })
          const active: string[] = []
          let served = 0
          await Promise.all(
            peers.map(async (peer) => {
              const release = await slots.acquire(peer, { signal })
              active.push(peer)
              expect(active.filter((one) => one === peer).length).toBeLessThanOrEqual(2)
              expect(active.length).toBeLessThanOrEqual(4)
              expect(active.filter((one) => one !== 'friend').length).toBeLessThanOrEqual(3)
              await settle()
              active.splice(active.indexOf(peer), 1)
              served++
              release()
            }),
          )
          expect(served).toBe(peers.length)
          expect(slots.taken).toBe(0)
        },
      ),
      { numRuns: 50 },
    )
  })
})

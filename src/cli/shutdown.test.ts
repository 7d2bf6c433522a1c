import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { createShutdown, STOP_TIME } from './shutdown.ts'

function setUp() {
  const virtual = createVirtualEnv()
  const events = new EventEmitter()
  const exits: number[] = []
  const said: string[] = []
  const source = {
    on: (signal: string, listener: () => void) => events.on(signal, listener),
    off: (signal: string, listener: () => void) => events.off(signal, listener),
    exit: (code: number) => {
      exits.push(code)
    },
  }
  const shutdown = createShutdown({ source, env: virtual.env }, (message) => said.push(message))
  return { virtual, events, exits, said, shutdown }
}

test('the first signal asks for a clean end, the second ends at once', () => {
  const { events, exits, said, shutdown } = setUp()
  events.emit('SIGTERM')
  expect(shutdown.signal.aborted).toBe(true)
  expect(exits).toEqual([])
  expect(said).toHaveLength(1)
  events.emit('SIGINT')
  expect(exits).toEqual([130])
})

test('an end that takes too long is forced', async () => {
  const { virtual, events, exits } = setUp()
  events.emit('SIGINT')
  await virtual.advance(STOP_TIME - 1)
  expect(exits).toEqual([])
  await virtual.advance(1)
  expect(exits).toEqual([1])
})

test('after release nothing listens and no timer is left', () => {
  const { virtual, events, exits, shutdown } = setUp()
  shutdown.begin()
  shutdown.release()
  expect(virtual.timers).toBe(0)
  expect(events.emit('SIGINT')).toBe(false)
  expect(exits).toEqual([])
})

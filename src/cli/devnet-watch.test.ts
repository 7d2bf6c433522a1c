import { describe, expect, test } from 'vitest'
import { createRecorder } from '../../test/support/recorder.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import type { Devnet, DevnetStatus } from '../node/devnet/devnet.ts'
import { createDevnetWatch } from './devnet-watch.ts'

function setUp({ interactive, duration }: { readonly interactive: boolean; readonly duration?: number }) {
  const virtual = createVirtualEnv()
  const written: string[] = []
  const pictures: string[] = []
  let released = 0
  let txs = 0
  const recorder = createRecorder()
  const watch = createDevnetWatch(
    {
      env: virtual.env,
      color: false,
      screen: {
        interactive,
        width: 80,
        show: (lines) => pictures.push(lines.join('\n')),
        release: () => {
          released++
        },
      },
      terminal: { interactive, width: 80, write: (text) => written.push(text), live: () => undefined },
    },
    { root: '/tmp/net', logger: recorder.logger, duration },
  )
  const network: Devnet = {
    nodes: [],
    failed: Promise.withResolvers<never>().promise,
    start: async () => undefined,
    stop: async () => undefined,
    status: (): DevnetStatus => ({
      da: { address: 'http://da', height: 3 },
      endpoint: 'http://kv',
      rpc: 'http://rpc',
      nodes: [],
      txs,
    }),
  }
  return {
    watch,
    network,
    written,
    pictures,
    recorder,
    released: () => released,
    advance: async (ms: number, more = 0): Promise<void> => {
      txs += more
      await virtual.advance(ms)
    },
  }
}

describe('on a terminal', () => {
  test('the picture changes until the watch ends, and the last one stays', async () => {
    const { watch, network, pictures, released, written, advance } = setUp({ interactive: true })
    watch.start(network)
    expect(pictures).toHaveLength(1)
    await advance(1_000, 100)
    expect(pictures).toHaveLength(5)
    expect(pictures.at(-1)).toContain('100 tx/s')
    expect(pictures.at(-1)).toContain('Ctrl-C stops')
    watch.stop()
    watch.stop()
    await advance(5_000)
    expect(pictures).toHaveLength(5)
    expect(released()).toBe(1)
    expect(written).toEqual([])
  })

  test('with an end it counts down, and then says what it does', async () => {
    const { watch, network, pictures, advance } = setUp({ interactive: true, duration: 2_000 })
    watch.start(network)
    expect(pictures.at(-1)).toContain('ends in 2s')
    await advance(2_500)
    expect(pictures.at(-1)).toContain('comparing')
    watch.stop()
  })

  test('speeds are those of the last seconds', async () => {
    const { watch, network, pictures, advance } = setUp({ interactive: true })
    watch.start(network)
    await advance(1_000, 600)
    expect(pictures.at(-1)).toContain('600 tx/s')
    await advance(60_000)
    expect(pictures.at(-1)).toContain('0.0 tx/s')
    watch.stop()
  })

  test('shows the last warning of the network, and passes it on', async () => {
    const { watch, network, pictures, recorder, advance } = setUp({ interactive: true })
    watch.start(network)
    watch.logger.child({ node: 'follower' }).warn('DA does not answer', { error: new Error('refused') })
    await advance(250)
    expect(pictures.at(-1)).toContain('last warning  DA does not answer: refused')
    expect(recorder.lines).toEqual(['warn: DA does not answer'])
    watch.stop()
  })
})

test('elsewhere a line says where things are, and one now and then how it goes', async () => {
  const { watch, network, pictures, written, advance } = setUp({ interactive: false })
  watch.start(network)
  expect(written[0]).toBe('explorer http://rpc · DA http://da · transactions http://kv/tx · home /tmp/net\n')
  await advance(15_000, 30)
  watch.stop()
  await advance(15_000)
  expect(written).toHaveLength(5)
  expect(written.join('')).not.toContain('\u001b')
  expect(pictures).toEqual([])
})

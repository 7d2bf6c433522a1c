import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { systemEnv } from '../core/env.ts'
import { type Logger, noopLogger } from '../core/logger.ts'
import type { HttpService } from './http-service.node.ts'
import { createMetricsServer } from './metrics-server.node.ts'
import { createProfileServer } from './profile-server.node.ts'
import { createPrometheusMetrics, type PrometheusMetrics } from './prometheus.node.ts'

const running: HttpService[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map(async (one) => await one.stop()))
})

const warned: string[] = []
const logger: Logger = { ...noopLogger, warn: (message) => warned.push(message), child: () => logger }
const deps = { env: systemEnv, logger }
const metrics = createPrometheusMetrics({ namespace: 'evnode', chainId: 'c' })

async function started(service: HttpService): Promise<{ service: HttpService; url: string; port: number }> {
  running.push(service)
  warned.length = 0
  await service.start()
  const port = service.address?.port ?? 0
  return { service, port, url: `http://127.0.0.1:${port}` }
}

async function startMetrics(
  options: { address?: string; maxOpenConnections?: number } = {},
  from: PrometheusMetrics = metrics,
) {
  return await started(
    createMetricsServer(
      { ...deps, metrics: from },
      { address: '127.0.0.1:0', maxOpenConnections: 3, ...options },
    ),
  )
}

/** Sends a request with headers that fetch would not send. */
async function raw(port: number, head: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(head))
    let answer = ''
    socket.on('data', (data) => (answer += String(data))).on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

describe('the metrics server', () => {
  test('answers /metrics, packed or not, and nothing else', async () => {
    const { url, port } = await startMetrics()
    const response = await fetch(`${url}/metrics`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(response.headers.get('content-encoding')).toBe('gzip')
    expect(await response.text()).toContain('evnode_sequencer_halted{chain_id="c"} 0')
    const plain = await raw(port, 'GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    expect(plain).toContain('evnode_sequencer_halted{chain_id="c"} 0')
    expect((await fetch(`${url}/metrics`, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(`${url}/metrics`, { method: 'POST', body: 'x' })).status).toBe(405)
    expect((await fetch(`${url}/`)).status).toBe(404)
    expect(await raw(port, 'GET http://[ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')).toMatch(
      / 40[04] /,
    )
    expect(await raw(port, 'no http at all\r\n\r\n')).toContain(' 400 ')
  })

  test('answers so many at once as it may, and others later', async () => {
    const held: (() => void)[] = []
    let arrived = Promise.withResolvers<void>()
    const slow: PrometheusMetrics = {
      ...metrics,
      async text() {
        arrived.resolve()
        await new Promise<void>((resolve) => held.push(resolve))
        return 'slow 1\n'
      },
    }
    const { url } = await startMetrics({ maxOpenConnections: 2 }, slow)
    const first = fetch(`${url}/metrics`)
    await arrived.promise
    arrived = Promise.withResolvers()
    const leaving = new AbortController()
    const second = fetch(`${url}/metrics`, { signal: leaving.signal })
    await arrived.promise
    const third = await fetch(`${url}/metrics`)
    expect([third.status, third.headers.get('retry-after')]).toEqual([503, '1'])
    leaving.abort()
    await expect(second).rejects.toThrow('aborted')
    for (const release of held) release()
    expect(await (await first).text()).toBe('slow 1\n')
    arrived = Promise.withResolvers()
    const later = fetch(`${url}/metrics`)
    await arrived.promise
    for (const release of held) release()
    expect((await later).status).toBe(200)
  })

  test('two have two addresses; a taken one is told, and free again afterwards', async () => {
    const { service, port } = await startMetrics()
    const other = createMetricsServer(
      { ...deps, metrics },
      { address: `127.0.0.1:${port}`, maxOpenConnections: 0 },
    )
    await expect(other.start()).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
    await other.stop()
    await service.stop()
    await service.stop()
    await started(other)
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200)
    await other.start()
  })

  test('warns where others can reach it', async () => {
    await startMetrics()
    expect(warned).toEqual([])
    await startMetrics({ address: ':0' })
    expect(warned).toEqual(['metrics can be read by whoever reaches this machine'])
  })

  test('stops while a client holds a connection open', async () => {
    const { service, port } = await startMetrics()
    const socket = connect(port, '127.0.0.1')
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
    socket.on('error', () => undefined)
    socket.write('GET /metrics HTTP/1.1\r\n')
    await new Promise<void>((resolve) => socket.on('connect', () => resolve()))
    await service.stop()
    await closed
  })
})

describe('profiles', () => {
  const start = async (address = ':0') => await started(createProfileServer(deps, { address }))

  test('are listed, for this machine alone unless told otherwise', async () => {
    const { service, url } = await start()
    expect(service.address).toMatchObject({ host: '127.0.0.1', open: false })
    expect(warned).toEqual([])
    const page = await (await fetch(`${url}/debug/pprof/`)).text()
    for (const name of ['profile', 'heap', 'allocs', 'heapsnapshot', 'resources']) {
      expect(page).toContain(`href="${name}`)
    }
    expect((await fetch(`${url}/`)).status).toBe(404)
    const goroutines = await fetch(`${url}/debug/pprof/goroutine`)
    expect([goroutines.status, await goroutines.text()]).toEqual([404, expect.stringContaining('resources')])
    await start('0.0.0.0:0')
    expect(warned).toHaveLength(1)
  })

  test('of the CPU and of the heap are what the tools of V8 read', async () => {
    const { url } = await start()
    const cpu = await fetch(`${url}/debug/pprof/profile?seconds=0.05`)
    expect(cpu.headers.get('content-disposition')).toMatch(/\.cpuprofile"$/)
    expect(await cpu.json()).toMatchObject({ nodes: expect.any(Array), samples: expect.any(Array) })
    const heap = await fetch(`${url}/debug/pprof/heap?seconds=0.05`)
    expect(heap.headers.get('content-disposition')).toMatch(/\.heapprofile"$/)
    expect(await heap.json()).toMatchObject({ head: { children: expect.any(Array) } })
    expect((await fetch(`${url}/debug/pprof/allocs?seconds=0.05`)).status).toBe(200)
    expect(await (await fetch(`${url}/debug/pprof/resources`)).text()).toMatch(/^ +\d+ \w+/)
    for (const seconds of ['0', '-1', 'x', '601', 'NaN']) {
      expect((await fetch(`${url}/debug/pprof/profile?seconds=${seconds}`)).status).toBe(400)
    }
  })

  test('are taken one at a time, and end when nobody waits for them', async () => {
    const { url, service } = await start()
    const leaving = new AbortController()
    const first = fetch(`${url}/debug/pprof/profile?seconds=600`, { signal: leaving.signal })
    // The first holds the place before the second is looked at: both come by loopback, in order.
    const busy = async (): Promise<number> => (await fetch(`${url}/debug/pprof/heap?seconds=0.01`)).status
    while ((await busy()) !== 503);
    leaving.abort()
    await expect(first).rejects.toThrow('aborted')
    while ((await busy()) === 503);
    const last = fetch(`${url}/debug/pprof/profile?seconds=600`)
    while ((await busy()) !== 503);
    await service.stop()
    await expect(last).rejects.toThrow('fetch failed')
  })

  test('are not for pages of other sites', async () => {
    const { port, url } = await start()
    const ask = async (headers: string): Promise<string> =>
      await raw(port, `GET /debug/pprof/ HTTP/1.1\r\n${headers}connection: close\r\n\r\n`)
    expect(await ask('host: evil.example\r\n')).toContain(' 403 ')
    expect(await ask(`host: localhost:${port}\r\nsec-fetch-site: cross-site\r\n`)).toContain(' 403 ')
    expect(await ask(`host: localhost:${port}\r\nsec-fetch-site: none\r\n`)).toContain(' 200 ')
    expect(await ask(`host: [::1]:${port}\r\n`)).toContain(' 200 ')
    expect((await fetch(`${url}/debug/pprof/`)).status).toBe(200)
  })

  test('include everything on the heap', async () => {
    const { url } = await start()
    const response = await fetch(`${url}/debug/pprof/heapsnapshot`)
    const reader = response.body?.getReader()
    const first = await reader?.read()
    expect(new TextDecoder().decode(first?.value)).toMatch(/^\{"snapshot":\{"meta"/)
    await reader?.cancel()
  })
})

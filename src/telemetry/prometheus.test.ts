import { describe, expect, test } from 'vitest'
import type { Logger } from '../core/logger.ts'
import { noopLogger } from '../core/logger.ts'
import { createPrometheusMetrics } from './prometheus.node.ts'

/** The value of each series in a text for Prometheus, its labels in the order of their names. */
function read(text: string): Map<string, number> {
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ')
        const series = line
          .slice(0, at)
          .replace(/\{(.*)\}$/, (_all, labels: string) => `{${labels.split(',').toSorted().join()}}`)
        return [series, Number(line.slice(at + 1))]
      }),
  )
}

const options = { namespace: 'evnode', chainId: 'chain-a' }

describe('metrics for Prometheus', () => {
  test('carry the namespace, the chain, and types that dashboards expect', async () => {
    const metrics = createPrometheusMetrics(options)
    metrics.gauge('sequencer_height', 12)
    metrics.count('sequencer_total_txs', 5)
    metrics.count('sequencer_total_txs', 2)
    metrics.count('sequencer_blocks_synchronized_total', 1, { source: 'p2p' })
    metrics.observe('sequencer_operation_duration_seconds', 0.03, { operation: 'block_production' })
    const text = await metrics.text()
    const series = read(text)
    expect(series.get('evnode_sequencer_height{chain_id="chain-a"}')).toBe(12)
    expect(series.get('evnode_sequencer_total_txs{chain_id="chain-a"}')).toBe(7)
    expect(text).toContain('# TYPE evnode_sequencer_total_txs gauge')
    expect(text).toContain('# TYPE evnode_sequencer_operation_duration_seconds histogram')
    const bucket = (le: string): number | undefined =>
      series.get(
        `evnode_sequencer_operation_duration_seconds_bucket{chain_id="chain-a",le="${le}",operation="block_production"}`,
      )
    expect([bucket('0.025'), bucket('0.05'), bucket('+Inf')]).toEqual([0, 1, 1])
    expect(series.get('evnode_sequencer_blocks_synchronized_total{chain_id="chain-a",source="p2p"}')).toBe(1)
  })

  test('start counters at 0, and gauges only where a value is known', async () => {
    const series = read(await createPrometheusMetrics(options).text())
    expect(series.get('evnode_p2p_bans_total{chain_id="chain-a"}')).toBe(0)
    expect(series.get('evnode_sequencer_halted{chain_id="chain-a"}')).toBe(0)
    expect(series.get('evnode_sequencer_executor_reachable{chain_id="chain-a"}')).toBe(1)
    expect(series.has('evnode_sequencer_height{chain_id="chain-a"}')).toBe(false)
  })

  test('show the process once, however many nodes it has', async () => {
    const [one, other] = [
      createPrometheusMetrics(options),
      createPrometheusMetrics({ ...options, chainId: 'b' }),
    ]
    one.gauge('sequencer_height', 1)
    other.gauge('sequencer_height', 2)
    const series = read(await other.text())
    expect(series.get('evnode_sequencer_height{chain_id="b"}')).toBe(2)
    expect(series.has('evnode_sequencer_height{chain_id="chain-a"}')).toBe(false)
    for (const name of [
      'process_resident_memory_bytes',
      'nodejs_heap_size_used_bytes',
      'nodejs_eventloop_active_seconds_total',
    ]) {
      expect({ name, value: series.get(name) }).toEqual({ name, value: expect.any(Number) })
    }
    expect(series.has('nodejs_eventloop_lag_p99_seconds')).toBe(true)
  })

  test('survive what cannot be reported, and say so once', async () => {
    const said: unknown[] = []
    const logger: Logger = { ...noopLogger, error: (_message, fields) => said.push(fields?.['name']) }
    const metrics = createPrometheusMetrics(options, { logger })
    metrics.count('no_such_metric')
    metrics.count('no_such_metric')
    metrics.count('p2p_bans_total', -1)
    metrics.gauge('sequencer_height', 1, { other: 'label' })
    metrics.observe('sequencer_height', 1)
    metrics.count('p2p_bans_total', 3)
    expect(said).toEqual(['no_such_metric', 'p2p_bans_total', 'sequencer_height'])
    expect(read(await metrics.text()).get('evnode_p2p_bans_total{chain_id="chain-a"}')).toBe(3)
  })

  test('ask for what is only looked up, and survive when that fails', async () => {
    const metrics = createPrometheusMetrics(options)
    let height = 3
    const stop = metrics.onScrape(() => metrics.gauge('node_target_height', height))
    metrics.onScrape(() => {
      throw new Error('not there')
    })
    const shown = async (): Promise<number | undefined> =>
      read(await metrics.text()).get('evnode_node_target_height{chain_id="chain-a"}')
    expect(await shown()).toBe(3)
    height = 4
    expect(await shown()).toBe(4)
    stop()
    height = 5
    expect(await shown()).toBe(4)
  })

  test('escape what a chain is called', async () => {
    const metrics = createPrometheusMetrics({ namespace: '', chainId: 'a"b\\c\nd' })
    metrics.gauge('sequencer_height', 1)
    expect(await metrics.text()).toContain('sequencer_height{chain_id="a\\"b\\\\c\\nd"} 1')
  })

  test('refuse a namespace that Prometheus does not take', () => {
    expect(() => createPrometheusMetrics({ namespace: 'my-node', chainId: 'a' })).toThrow('my-node')
  })
})

/*
 * Two nodes as users start them, with everything on that shows what they do.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../src/node/devnet/homes.ts'
import {
  type CliChain,
  type CliProcess,
  createCliScratch,
  DA_BLOCK_TIME,
  evolve,
  initChain,
  initFollower,
  postTx,
} from '../support/cli-network.ts'
import { type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts'

const scratch = createCliScratch()
let collector: OtlpCollector
let chain: CliChain
let aggregator: CliProcess
let follower: CliProcess
/** Where the metrics of each are. */
let [aggregatorAt, followerAt, profilesAt, kvAt, rpcAt] = ['', '', '', '', '']

const on = (metricsAt: string): string[] => [
  '--evnode.instrumentation.prometheus',
  '--evnode.instrumentation.prometheus_listen_addr',
  metricsAt,
  '--evnode.log.level',
  'debug',
]

beforeAll(async () => {
  collector = await startOtlpCollector()
  const ports: number[] = []
  for (let i = 0; i < 5; i++) ports.push(await freePort())
  ;[aggregatorAt = '', followerAt = '', profilesAt = '', kvAt = '', rpcAt = ''] = ports.map(
    (port) => `127.0.0.1:${port}`,
  )
  chain = await initChain(scratch, 'watched')
  const da = scratch.start(['da', '--port', String(chain.daPort), '--block-time', DA_BLOCK_TIME])
  await da.said('local DA started')
  aggregator = scratch.start([
    ...chain.start,
    '--kv-endpoint',
    kvAt,
    '--evnode.rpc.address',
    rpcAt,
    ...on(aggregatorAt),
    '--evnode.instrumentation.tracing',
    '--evnode.instrumentation.tracing_endpoint',
    collector.address,
    '--evnode.instrumentation.tracing_sample_rate',
    '1',
  ])
  await aggregator.said('node started')
  const home = await initFollower(scratch, chain, 'watching', [
    '--evnode.p2p.peers',
    chain.peer,
    '--evnode.da.address',
    chain.da,
    '--evnode.da.namespace',
    chain.namespace,
  ])
  follower = scratch.start([
    'start',
    '--home',
    home,
    ...on(followerAt),
    '--evnode.instrumentation.pprof',
    '--evnode.instrumentation.pprof_listen_addr',
    profilesAt,
  ])
  await follower.said('node started')
  await postTx(kvAt, 'name=Ada')
  await follower.said(/block applied height=\d+ txs=1 source=/)
})

afterAll(async () => {
  await scratch.clear()
  await collector.stop()
})

/** The series that a node shows: values by name and labels, and by name alone. */
async function scrape(
  at: string,
): Promise<{ readonly names: Set<string>; readonly value: (series: string) => number | undefined }> {
  const response = await fetch(`http://${at}/metrics`)
  expect(response.status).toBe(200)
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const values = new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice(0, space), Number(line.slice(space + 1))]
    }),
  )
  return {
    names: new Set(lines.map((line) => line.split(/[{ ]/, 1)[0] ?? '')),
    value: (series) => values.get(series),
  }
}

/** What both kinds of node show. */
const BOTH = [
  'evnode_sequencer_height',
  'evnode_sequencer_operation_duration_seconds_bucket',
  'evnode_sequencer_halted',
  'evnode_sequencer_executor_reachable',
  'evnode_p2p_peers',
  'evnode_p2p_connections',
  'evnode_node_phase',
  'evnode_node_sync_lag_blocks',
  'evnode_node_header_height',
  'evnode_node_data_height',
  'evnode_node_final_height',
  'evnode_node_last_block_age_seconds',
  'evnode_node_da_next_height',
  'evnode_node_ready',
  'evnode_build_info',
  'evnode_da_consumed_height',
  'evnode_da_client_calls_total',
  'evnode_da_client_reachable',
  'evnode_executor_call_duration_seconds_count',
  'evnode_store_batch_duration_seconds_bucket',
  'evnode_store_written_bytes_total',
  'process_resident_memory_bytes',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_eventloop_active_seconds_total',
]

describe('two nodes with prometheus on', () => {
  test('show the series that operators look for', async () => {
    const made = await scrape(aggregatorAt)
    const followed = await scrape(followerAt)
    for (const { names } of [made, followed]) {
      expect(BOTH.filter((name) => !names.has(name))).toEqual([])
    }
    const aggregators = [
      'num_txs',
      'total_txs',
      'block_size_bytes',
      'latest_block_height',
      'txs_per_block_bucket',
    ]
    expect(aggregators.filter((name) => !made.names.has(`evnode_sequencer_${name}`))).toEqual([])
    expect(made.value('evnode_sequencer_total_txs{chain_id="watched"}')).toBe(1)
    expect(made.value('evnode_node_phase{phase="producing",chain_id="watched"}')).toBe(1)
    expect(made.value('evnode_p2p_connections{direction="inbound",chain_id="watched"}')).toBe(1)
    expect(followed.value('evnode_p2p_peers{chain_id="watched"}')).toBe(1)
    const height = followed.value('evnode_sequencer_height{chain_id="watched"}')
    expect(height).toBeGreaterThan(0)
    expect(followed.names.has('evnode_sequencer_blocks_synchronized_total')).toBe(true)
    for (const { value } of [made, followed]) {
      expect(value('evnode_sequencer_halted{chain_id="watched"}')).toBe(0)
      expect(value('evnode_node_ready{criterion="behind",chain_id="watched"}')).toBe(1)
    }
  })

  test('a second one on the same address is refused, before it does anything', async () => {
    const home = await initFollower(scratch, chain, 'late', [])
    for (const more of [
      on(followerAt),
      ['--evnode.instrumentation.pprof', '--evnode.instrumentation.pprof_listen_addr', profilesAt],
    ]) {
      const { code, stderr } = await evolve(['start', '--home', home, ...more])
      expect(stderr).toContain('is in use by another process or node')
      expect(stderr).not.toMatch(/node started|^\s+at /m)
      expect(code).toBe(2)
    }
  })

  test('a namespace that Prometheus does not take is refused', async () => {
    const home = await initFollower(scratch, chain, 'wrong', [])
    const { code, stderr } = await evolve([
      'start',
      '--home',
      home,
      '--evnode.instrumentation.namespace',
      'my-node',
    ])
    expect(stderr).toContain('instrumentation.namespace')
    expect(code).toBe(2)
  })

  test('profiles are taken of a running node', async () => {
    const response = await fetch(`http://${profilesAt}/debug/pprof/profile?seconds=0.2`)
    expect(await response.json()).toMatchObject({ nodes: expect.any(Array) })
  })
})

test('a request by RPC is counted, and goes on in the trace that it names', async () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const response = await fetch(`http://${rpcAt}/evnode.v1.StoreService/GetState`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    body: '{}',
  })
  expect(response.status).toBe(200)
  await response.text()
  const request = await collector.arrived('StoreService.GetState')
  expect([request.traceId, request.parent]).toEqual([traceId, 'b7ad6b7169203331'])
  const { names } = await scrape(aggregatorAt)
  expect(names).toContain('evnode_rpc_request_duration_seconds_count')
  expect(names).toContain('evnode_rpc_open_connections')
})

test('traces of making a block arrive, and the last of them when the node stops', async () => {
  const produce = await collector.arrived('BlockExecutor.ProduceBlock')
  expect(produce.resource).toMatchObject({ 'service.name': 'ev-node', 'chain.id': 'watched' })
  const { code, stderr } = await aggregator.stop()
  expect(stderr).not.toMatch(/ERROR/)
  expect(code).toBe(0)
  const names = new Set(collector.spans.map(({ name }) => name))
  for (const name of [
    'Executor.InitChain',
    'Executor.ExecuteTxs',
    'Store.SaveBlocks',
    'DA.Submit',
    'Sequencer.GetNextBatch',
  ]) {
    expect(names).toContain(name)
  }
  const executed = collector.spans.find(
    ({ name, attributes }) => name === 'Executor.ExecuteTxs' && attributes['tx.count'] === 1,
  )
  const inside = collector.spans
    .filter(({ traceId }) => traceId === executed?.traceId)
    .map(({ name }) => name)
  expect(inside).toEqual(expect.arrayContaining(['BlockExecutor.ProduceBlock', 'BlockExecutor.ApplyBlock']))
  expect((await follower.stop()).code).toBe(0)
})

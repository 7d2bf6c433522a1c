/*
 * Headers side by side with Go (go-header v0.8.6), on one chain in one run: header sync with every signature checked,
 * the exchange client alone, and serving. Where Go is not installed only ours is measured.
 */
import { join } from 'node:path'
import type { GeneratedChain } from './chain.ts'
import { forkProcess } from './child.ts'
import { type GoProcess, startGo } from './go.ts'
import type { HeadersOrder, HeadersResult } from './header-messages.ts'
import type { BenchContext, BenchPart, Figure, Table } from './part.ts'

const BLOCKS = 60_000
/** Ranges that the Go client asks for at the same time. */
const RANGES = 8
/** How often each server is measured. */
const ROUNDS = 3
const WITHOUT_SIGNATURES = { signatures: false }
const NOT_MEASURED = 'Go is not installed: no ratios'

/** A server of the chain in a process of its own. */
interface Server {
  /** Whose it is. */
  readonly name: 'ours' | 'Go'
  readonly peers: readonly string[]
  cpu(): number
  stop(): Promise<void>
}

/** How fast somebody took the headers of the chain, and the CPU seconds it took them and the server. */
interface Taken {
  readonly perSecond: number
  readonly cpu: number
  readonly serverCpu: number
}

/** The benchmark `headers`. */
export const headers: BenchPart = {
  name: 'headers',
  about: 'header sync, exchange and serving, against go-header',
  async run(context) {
    const chain = await context.chains.get({
      filling: 'empty',
      blocks: BLOCKS,
      forGo: context.go !== undefined,
    })
    const servers: Server[] = [await ourServer(chain)]
    if (context.go !== undefined) servers.push(await goServer(chain))
    const bench = new HeaderBench(chain, context)
    const tables: Table[] = []
    for (const server of servers) tables.push(await bench.sync(server))
    for (const server of servers) tables.push(await bench.exchange(server))
    if (context.go !== undefined) tables.push(await bench.serving(servers))
    for (const server of servers) await server.stop()
    return tables
  },
}

async function ourServer(chain: GeneratedChain): Promise<Server> {
  const child = forkProcess<{ addresses: string[] }>('serve-chain', chain)
  const { addresses } = await child.message(
    (message): message is { addresses: string[] } => 'addresses' in message,
  )
  return { name: 'ours', peers: addresses, cpu: () => child.cpu(), stop: async () => await child.stop() }
}

async function goServer(chain: GeneratedChain): Promise<Server> {
  const go = await startGo('goheader', 'serve', { chain: chain.goFolder })
  return { name: 'Go', peers: go.addresses, cpu: () => go.cpu(), stop: async () => await go.stop() }
}

function figuresOf(
  ours: Taken,
  go: Taken | undefined,
  { goal, limit }: Pick<Figure, 'goal' | 'limit'> = {},
): Figure[] {
  const figures: Figure[] = [
    { name: 'ours', value: ours.perSecond, unit: 'headers/s', ...(limit === undefined ? {} : { limit }) },
    { name: 'ours, CPU for 1,000 headers', value: ours.cpu * 1_000, unit: 'ms' },
  ]
  if (go === undefined) return figures
  return [
    ...figures,
    { name: 'Go', value: go.perSecond, unit: 'headers/s', ...(limit === undefined ? {} : { limit }) },
    { name: 'Go, CPU for 1,000 headers', value: go.cpu * 1_000, unit: 'ms' },
    {
      name: 'ratio',
      value: ours.perSecond / go.perSecond,
      unit: '×',
      ...(goal === undefined ? {} : { goal }),
    },
  ]
}

/** What several takings of the same headers come to on average. */
function together(taken: readonly Taken[]): Taken {
  const mean = (of: (one: Taken) => number): number =>
    taken.reduce((sum, one) => sum + of(one), 0) / taken.length
  return {
    perSecond: 1 / mean(({ perSecond }) => 1 / perSecond),
    cpu: mean(({ cpu }) => cpu),
    serverCpu: mean(({ serverCpu }) => serverCpu),
  }
}

/** Measures one chain. */
class HeaderBench {
  readonly #chain: GeneratedChain
  readonly #context: BenchContext
  #homes = 0

  constructor(chain: GeneratedChain, context: BenchContext) {
    this.#chain = chain
    this.#context = context
  }

  async sync(server: Server): Promise<Table> {
    const { verifications } = this.#context.limits
    this.#context.log(`header sync, server: ${server.name}`)
    const ours = await this.#ours('sync', server)
    const go =
      this.#context.go === undefined
        ? undefined
        : await this.#go('sync', server, async (client) => {
            return await client.ask('sync', { to: this.#chain.blocks })
          })
    return {
      title: `header sync, every signature checked; server: ${server.name}`,
      figures: figuresOf(ours, go, {
        goal: { atLeast: 1 },
        limit: { value: verifications, by: 'signature checks of all cores' },
      }),
      notes: [
        'from the connection until the last header is stored; starting and connecting are not counted on either side, a cold engine is on ours',
        'ours stores on disk, Go in memory',
        ...(go === undefined ? [NOT_MEASURED] : []),
      ],
    }
  }

  async exchange(server: Server): Promise<Table> {
    this.#context.log(`exchange client, server: ${server.name}`)
    const ours = await this.#ours('exchange', server)
    const go =
      this.#context.go === undefined
        ? undefined
        : await this.#go(
            'fetch',
            server,
            async (client) => {
              return await this.#ranges(client, 1)
            },
            WITHOUT_SIGNATURES,
          )
    return {
      title: `exchange client alone, links but no signatures checked; server: ${server.name}`,
      figures: figuresOf(ours, go),
      notes: ['ours asks one peer for several ranges at once, Go for one after another'],
    }
  }

  /** The same Go client, without signature checks, against each server in turn: one range after another, and eight at once. */
  async serving(servers: readonly Server[]): Promise<Table> {
    const figures: Figure[] = []
    for (const ranges of [1, RANGES]) {
      const taken: Record<Server['name'], Taken[]> = { ours: [], Go: [] }
      for (let round = 0; round < ROUNDS; round++) {
        for (const server of servers) {
          this.#context.log(`serving, ${ranges} at once, server: ${server.name}`)
          const one = await this.#go(
            'fetch',
            server,
            async (client) => await this.#ranges(client, ranges),
            WITHOUT_SIGNATURES,
          )
          taken[server.name].push(one)
        }
      }
      const name = ranges === 1 ? 'one range at a time' : `${ranges} ranges at once`
      const [ours, go] = [together(taken.ours), together(taken.Go)]
      figures.push(
        { name: `${name}: our server`, value: ours.perSecond, unit: 'headers/s' },
        { name: `${name}: Go's server`, value: go.perSecond, unit: 'headers/s' },
        { name: `${name}: ratio`, value: ours.perSecond / go.perSecond, unit: '×', goal: { atLeast: 1 } },
        { name: `${name}: our server, CPU for 1,000`, value: ours.serverCpu * 1_000, unit: 'ms' },
        { name: `${name}: Go's server, CPU for 1,000`, value: go.serverCpu * 1_000, unit: 'ms' },
      )
    }
    return {
      title: 'serving headers to the same Go client',
      figures,
      notes: [
        `our server reads from its database on disk, Go from memory; the client checks links, not signatures; ${ROUNDS} rounds each, in turn`,
      ],
    }
  }

  /** All of the chain in so many equal ranges at the same time. */
  async #ranges(client: GoProcess, count: number): Promise<{ hash: string; milliseconds: number }> {
    const { blocks } = this.#chain
    const begun = performance.now()
    const bounds = Array.from(
      { length: count + 1 },
      (_, index) => 1 + Math.floor(((blocks - 1) * index) / count),
    )
    const replies = await Promise.all(
      bounds
        .slice(1)
        .map(
          async (last, index) =>
            await client.ask('range', { kind: 'headerSync', from: bounds[index] ?? 1, to: last + 1 }),
        ),
    )
    return { hash: replies.at(-1)?.hash ?? '', milliseconds: performance.now() - begun }
  }

  async #ours(mode: HeadersOrder['mode'], server: Server): Promise<Taken> {
    const order: HeadersOrder = {
      mode,
      home: join(this.#context.scratch, `home-${this.#homes++}`),
      genesis: this.#chain.genesis,
      peers: server.peers,
      target: this.#chain.blocks,
    }
    const serverBefore = server.cpu()
    const client = forkProcess<HeadersResult>('take-headers', order)
    const { hash, milliseconds, cpu } = await client.message(
      (message): message is HeadersResult => 'hash' in message,
    )
    const taken = this.#taken(hash, milliseconds, cpu, server.cpu() - serverBefore)
    await client.stop()
    return taken
  }

  async #go(
    command: string,
    server: Server,
    take: (client: GoProcess) => Promise<{ readonly hash: string; readonly milliseconds: number }>,
    flags: Readonly<Record<string, boolean>> = {},
  ): Promise<Taken> {
    const client = await startGo('goheader', command, {
      ...flags,
      peers: server.peers.join(','),
      seed: 9,
      'chain-id': JSON.parse(this.#chain.genesis).chain_id,
    })
    const clientBefore = client.cpu()
    const serverBefore = server.cpu()
    const { hash, milliseconds } = await take(client)
    const taken = this.#taken(hash, milliseconds, client.cpu() - clientBefore, server.cpu() - serverBefore)
    await client.stop()
    return taken
  }

  #taken(hash: string, milliseconds: number, cpu: number, serverCpu: number): Taken {
    const { blocks, lastHeaderHash } = this.#chain
    if (hash !== lastHeaderHash) throw new Error(`the last header is ${hash}, not that of the chain`)
    return {
      perSecond: (blocks * 1_000) / milliseconds,
      cpu: (cpu * 1_000) / blocks,
      serverCpu: (serverCpu * 1_000) / blocks,
    }
  }
}

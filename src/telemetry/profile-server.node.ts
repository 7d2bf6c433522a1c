import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { getHeapSnapshot } from 'node:v8'
import type { Env } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import { formatHostPort } from '../util/listen.node.ts'
import { answer, createHttpService, type HttpService, readingUrl } from './http-service.node.ts'
import { cpuProfile, heapProfile } from './profiles.node.ts'

/** Options of {@link createProfileServer}. */
export interface ProfileServerOptions {
  /** `host:port`; no host for this machine alone. */
  readonly address: string
}

const ROOT = '/debug/pprof/'

/** Longest profile in seconds. */
const LONGEST = 600

const INDEX = `<!doctype html>
<meta charset="utf-8">
<title>Profiles</title>
<h1>Profiles of this node</h1>
<p>One at a time. They are in the formats of V8, not in that of Go's pprof: open them in the developer tools of
Chromium (Performance, Memory) or in VS Code; speedscope.app shows CPU profiles.</p>
<dl>
<dt><a href="profile?seconds=30">profile?seconds=30</a></dt>
<dd>What the main thread does: a .cpuprofile. Threads that check signatures are not in it.</dd>
<dt><a href="heap?seconds=10">heap?seconds=10</a></dt>
<dd>Where memory is allocated that is still held at the end of those seconds: a .heapprofile.</dd>
<dt><a href="allocs?seconds=10">allocs?seconds=10</a></dt>
<dd>The same with what was let go meanwhile.</dd>
<dt><a href="heapsnapshot">heapsnapshot</a></dt>
<dd>Everything on the heap: a .heapsnapshot. The node stands still while it is written, and needs about twice its
memory. It holds whatever the process knows, secret keys too: keep it to yourself.</dd>
<dt><a href="resources">resources</a></dt>
<dd>What keeps the process running: sockets, timers, files.</dd>
</dl>
`

/** Paths that Go programs have here, and why this one does not. */
const ABSENT: Readonly<Record<string, string>> = {
  goroutine: 'there are no goroutines; resources shows what is open',
  threadcreate: 'threads are made at the start only',
  block: 'nothing blocks on locks here',
  mutex: 'there are no mutexes',
  trace: 'use profile, or start node with --trace-event-categories',
  symbol: 'profiles carry the names of functions',
  cmdline: 'command lines may hold secrets; ps shows it to those who may see it',
}

/**
 * Serves profiles below `/debug/pprof/`. Whoever reaches it learns all that the process knows, so that without a host
 * it listens on this machine alone, and pages of other sites are refused. `start` rejects as the metrics server's.
 */
export function createProfileServer(
  { env, ...deps }: { readonly env: Env; readonly logger: Logger },
  { address }: ProfileServerOptions,
): HttpService {
  const logger = deps.logger.child({ component: 'profiles' })
  let busy = false

  /** Takes a profile unless another one is being taken. */
  async function alone(response: ServerResponse, task: () => Promise<void>): Promise<void> {
    if (busy) {
      answer(response, 503, 'another profile is being taken')
      return
    }
    busy = true
    try {
      await task()
    } finally {
      busy = false
    }
  }

  async function timed(
    url: URL,
    response: ServerResponse,
    extension: string,
    take: (seconds: number) => Promise<string>,
  ): Promise<void> {
    const text = url.searchParams.get('seconds') ?? (extension === 'cpuprofile' ? '30' : '10')
    const seconds = Number(text)
    if (!(seconds > 0 && seconds <= LONGEST)) {
      answer(response, 400, `seconds must be above 0 and at most ${LONGEST}`)
      return
    }
    await alone(response, async () => {
      logger.info('taking a profile', { kind: extension, seconds })
      const body = await take(seconds)
      response.writeHead(200, fileHeaders(extension))
      response.end(body)
    })
  }

  async function handle(
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const refusal = refusalOf(request)
    if (refusal !== undefined) {
      answer(response, 403, refusal)
      return
    }
    const url = readingUrl(request, response)
    if (url === undefined) return
    if (!url.pathname.startsWith(ROOT)) {
      answer(response, 404, `profiles are at ${ROOT}`)
      return
    }
    const name = url.pathname.slice(ROOT.length)
    switch (name) {
      case '':
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
        response.end(INDEX)
        return
      case 'profile':
        await timed(
          url,
          response,
          'cpuprofile',
          async (seconds) => await cpuProfile(env, { seconds, signal }),
        )
        return
      case 'heap':
      case 'allocs':
        await timed(url, response, 'heapprofile', async (seconds) =>
          heapProfile(env, { seconds, signal, all: name === 'allocs' }),
        )
        return
      case 'heapsnapshot':
        await alone(response, async () => {
          logger.warn('writing a snapshot of the heap; the node stands still meanwhile')
          response.writeHead(200, fileHeaders('heapsnapshot'))
          await pipeline(getHeapSnapshot(), response, { signal })
        })
        return
      case 'resources':
        answer(response, 200, resources())
        return
      default:
        answer(response, 404, ABSENT[name] ?? `no profile of that name; ${ROOT} lists them`)
    }
  }

  return createHttpService(
    {
      env,
      logger,
      handle,
      onListening(at) {
        logger.info('profiles can be taken', { url: `http://${formatHostPort(at)}${ROOT}` })
        if (at.open) {
          logger.warn('profiles can be taken by whoever reaches this machine; they hold its secrets', {
            address: formatHostPort(at),
            instead: 'instrumentation.pprof_listen_addr 127.0.0.1:6060',
          })
        }
      },
    },
    { address, defaultHost: '127.0.0.1', idleTimeout: 0 },
  )
}

/** A page of another site can make a browser ask here, under a name of its own for this machine too. */
function refusalOf({ headers }: IncomingMessage): string | undefined {
  const site = headers['sec-fetch-site']
  if (site === 'cross-site' || site === 'same-site') return 'pages of other sites get no profiles'
  const name = URL.parse(`http://${headers.host ?? ''}`)?.hostname.replace(/^\[|\]$/g, '') ?? ''
  if (name === 'localhost' || isIP(name) !== 0) return undefined
  return 'ask by IP address or localhost'
}

function fileHeaders(extension: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    'content-disposition': `attachment; filename="evolve-${process.pid}.${extension}"`,
    'x-content-type-options': 'nosniff',
  }
}

function resources(): string {
  const counts = Object.groupBy(process.getActiveResourcesInfo(), (kind) => kind)
  const lines = Object.entries(counts).map(([kind, all]) => `${String(all?.length ?? 0).padStart(6)} ${kind}`)
  return lines.toSorted().toReversed().join('\n')
}

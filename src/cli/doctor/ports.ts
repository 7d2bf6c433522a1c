/*
 * Addresses that the node listens on: free, or its own.
 */
import { createServer } from 'node:net'
import { systemErrorCode } from '../../util/files.node.ts'
import type { HomeFound } from './config.ts'
import { type Finding, findingsOf } from './finding.ts'
import type { RunningFound } from './running.ts'

interface Place {
  readonly what: string
  readonly key: string
  readonly host: string
  readonly port: number
}

const { ok, warning, problem } = findingsOf('ports')

const isLocal = (host: string): boolean => /^(?:127\.|localhost$|::1$|\[::1\]$)/.test(host)

function fromHostPort(what: string, key: string, address: string): Place {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? []
  return { what, key, host: host.replaceAll(/[[\]]/g, ''), port: Number(port) }
}

function places({ config }: HomeFound): Place[] {
  const { p2p, rpc, instrumentation } = config
  const [, host = '', port] = /^\/(?:ip[46]|dns[46]?)\/([^/]+)\/tcp\/(\d+)/.exec(p2p.listenAddress) ?? []
  return [
    ...(port === undefined ? [] : [{ what: 'peers', key: 'p2p.listen_address', host, port: Number(port) }]),
    fromHostPort('RPC', 'rpc.address', rpc.address),
    ...(instrumentation.prometheus
      ? [
          fromHostPort(
            'metrics',
            'instrumentation.prometheus_listen_addr',
            instrumentation.prometheusListenAddr,
          ),
        ]
      : []),
    ...(instrumentation.pprof
      ? [fromHostPort('profiles', 'instrumentation.pprof_listen_addr', instrumentation.pprofListenAddr)]
      : []),
  ]
}

/** Why a port cannot be listened on, as the system's code; undefined when it can. It is given back at once. */
async function refusal({ host, port }: Place): Promise<string | undefined> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port, exclusive: true, ...(host === '' ? {} : { host }) }, resolve)
    })
    return undefined
  } catch (error) {
    return systemErrorCode(error) ?? String(error)
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
}

/** Checks that all ports are free, or those of the running node. */
export async function checkPorts(home: HomeFound, { node, taken }: RunningFound): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const place of places(home)) {
    const { what, key, host, port } = place
    const where = `${what}: ${host === '' ? '' : host}:${port}`
    // The RPC of another was told of already.
    if (what === 'RPC' && taken && node === undefined) continue
    const why = port === 0 ? undefined : await refusal(place)
    if (why === undefined) findings.push(ok(`${where} is free`))
    else if (why === 'EADDRINUSE' && node !== undefined)
      findings.push(ok(`${where} is in use, by the running node`))
    else if (why === 'EADDRINUSE')
      findings.push(problem(`${where} is in use by another process`, `end it, or change ${key}`))
    else
      findings.push(
        problem(`${where} cannot be listened on: ${why}`, `change ${key} to an address of this machine`),
      )
    if (what === 'RPC' && !isLocal(host))
      findings.push(
        warning(
          `${where} can be reached from other machines`,
          'put a proxy before it, or listen on 127.0.0.1',
        ),
      )
  }
  return findings
}

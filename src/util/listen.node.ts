import type { Server } from 'node:net'
import { isIP } from 'node:net'
import { EvolveError } from './errors.ts'
import { systemErrorCode } from './files.node.ts'

/** Where a server listens. */
export interface BoundAddress {
  /** An address, without brackets. */
  readonly host: string
  readonly port: number
  /** Whether other machines can reach it. */
  readonly open: boolean
}

/** A host, none for all addresses, and a port, out of `host:port`. Throws `INVALID_ADDRESS`. */
export function parseHostPort(text: string): { readonly host: string | undefined; readonly port: number } {
  const [, host = '', inner, digits] = /^([^\s:/[\]]*|\[([\da-f:.]+)\]):(\d{1,5})$/i.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65_535) {
    throw new EvolveError(
      'INVALID_ADDRESS',
      `expected host:port such as 127.0.0.1:7331, got ${JSON.stringify(text)}`,
      { data: { address: text } },
    )
  }
  return { host: inner ?? (host === '' ? undefined : host), port }
}

/** `host:port` of a bound address; IPv6 in brackets. */
export function formatHostPort({ host, port }: Pick<BoundAddress, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Where a listening server can be reached. Throws `LISTEN_FAILED` for one that does not listen. */
export function boundAddress(server: Server): BoundAddress {
  const bound = server.address()
  if (bound === null || typeof bound === 'string')
    throw new EvolveError('LISTEN_FAILED', 'the server does not listen on a port')
  return { host: bound.address, port: bound.port, open: !isLoopback(bound.address) }
}

/** Whether only this machine reaches a host. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  if (bare === 'localhost' || bare === '::1') return true
  const four = bare.startsWith('::ffff:') ? bare.slice('::ffff:'.length) : bare
  return isIP(four) === 4 && four.startsWith('127.')
}

/** Listens. Rejects with `ADDRESS_IN_USE`, `INVALID_ADDRESS` or `LISTEN_FAILED`. */
export async function listenOn(server: Server, address: string): Promise<BoundAddress> {
  const { host, port } = parseHostPort(address)
  await new Promise<void>((resolve, reject) => {
    const onError = (cause: Error): void => reject(listenError(address, cause))
    server.once('error', onError)
    server.listen({ host, port }, () => {
      server.off('error', onError)
      resolve()
    })
  })
  return boundAddress(server)
}

/** The error of a server that cannot listen: `ADDRESS_IN_USE` or `LISTEN_FAILED`. */
export function listenError(address: string, cause: Error): EvolveError {
  const inUse = systemErrorCode(cause) === 'EADDRINUSE'
  return new EvolveError(
    inUse ? 'ADDRESS_IN_USE' : 'LISTEN_FAILED',
    inUse
      ? `the address ${address} is in use by another process or node`
      : `cannot listen on ${address}: ${cause.message}`,
    { data: { address }, cause },
  )
}

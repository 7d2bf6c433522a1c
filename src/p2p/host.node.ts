import { noise } from '@libp2p/noise'
import { tls } from '@libp2p/tls'
import { corkedTcp } from './cork.node.ts'
import { createHostOver } from './host.ts'
import type { Host, HostDeps, HostOptions } from './host-options.ts'
import { createLibrary } from './library.ts'

export type { Host, HostDeps, HostOptions } from './host-options.ts'

/**
 * Makes a {@link Host} for Node: TCP, with TLS offered before Noise (it costs less here, and the Go nodes prefer it
 * too). Throws `INVALID_PEER_ADDRESS`, `INVALID_PEER_ID` or `INVALID_LISTEN_ADDRESS` for options that cannot be read.
 */
export function createHost(deps: HostDeps, options: HostOptions): Host {
  return createHostOver(
    async (library) =>
      await createLibrary({ transports: [corkedTcp({})], connectionEncrypters: [tls(), noise()] }, library),
    deps,
    options,
  )
}

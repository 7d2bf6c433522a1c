import { create } from '@bufbuild/protobuf'
import type { ConnectRouter } from '@connectrpc/connect'
import type { Logger } from '../../core/logger.ts'
import type { NodeView } from '../../core/node-view.ts'
import { answering } from '../errors.ts'
import {
  GetNetInfoResponseSchema,
  GetPeerInfoResponseSchema,
  P2PService,
} from '../gen/evnode/v1/p2p_rpc_pb.ts'

/** Adds `evnode.v1.P2PService` of ev-node v1.2.3: both methods tell of open connections. */
export function addP2PService(
  router: ConnectRouter,
  { node, logger }: { readonly node: NodeView; readonly logger: Logger },
): void {
  const answer = answering(logger)

  /** Addresses by peer. */
  function peers(): Map<string, string[]> {
    const found = new Map<string, string[]>()
    for (const { peer, address } of node.connections()) {
      // The id stands beside the addresses already.
      const bare = address.replace(/\/p2p\/[^/]+$/, '')
      found.set(peer, [...(found.get(peer) ?? []), bare])
    }
    return found
  }

  router.service(P2PService, {
    getPeerInfo: answer('GetPeerInfo', async () =>
      create(GetPeerInfoResponseSchema, {
        peers: [...peers()].map(([id, addresses]) => ({ id, address: `{${id}: [${addresses.join(' ')}]}` })),
      }),
    ),
    getNetInfo: answer('GetNetInfo', async () =>
      create(GetNetInfoResponseSchema, {
        netInfo: { id: node.peerId, listenAddresses: node.addresses(), connectedPeers: [...peers().keys()] },
      }),
    ),
  })
}

import type { ConnectRouter } from '@connectrpc/connect'
import type { Logger } from '../../core/logger.ts'
import type { NodeView } from '../../core/node-view.ts'
import { answering } from '../errors.ts'
import { type ListSubmissionsRequest, NetworkService } from '../gen/evolve/v1/network_pb.ts'
import { peerMessage, submissionMessage } from '../messages.ts'

/** What {@link addNetworkService} needs. */
export interface NetworkServiceDeps {
  readonly node: NodeView
  readonly logger: Logger
}

/** Adds evolve.v1.NetworkService. */
export function addNetworkService(router: ConnectRouter, { node, logger }: NetworkServiceDeps): void {
  const answer = answering(logger)
  router.service(NetworkService, {
    listPeers: answer('ListPeers', async () => ({
      peerId: node.peerId,
      listenAddresses: node.addresses(),
      peers: node.connections().map(peerMessage),
    })),
    listSubmissions: answer('ListSubmissions', async ({ limit }: ListSubmissionsRequest) => {
      const all = node.da?.submissions() ?? []
      return { submissions: (limit === 0 ? all : all.slice(0, limit)).map(submissionMessage) }
    }),
  })
}

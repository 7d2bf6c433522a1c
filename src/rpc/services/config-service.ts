import { create } from '@bufbuild/protobuf'
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect'
import type { Logger } from '../../core/logger.ts'
import type { NodeView } from '../../core/node-view.ts'
import { toHex } from '../../util/bytes.ts'
import { answering } from '../errors.ts'
import {
  ConfigService,
  GetNamespaceResponseSchema,
  GetSignerInfoResponseSchema,
} from '../gen/evnode/v1/config_pb.ts'

/** Adds `evnode.v1.ConfigService` of ev-node v1.2.3. */
export function addConfigService(
  router: ConnectRouter,
  { node, logger }: { readonly node: NodeView; readonly logger: Logger },
): void {
  const answer = answering(logger)
  router.service(ConfigService, {
    getNamespace: answer('GetNamespace', async () => {
      if (node.da === undefined) throw new ConnectError('this node knows of no DA', Code.Unavailable)
      return create(GetNamespaceResponseSchema, {
        headerNamespace: `0x${toHex(node.da.headerNamespace)}`,
        dataNamespace: `0x${toHex(node.da.dataNamespace)}`,
      })
    }),
    getSignerInfo: answer('GetSignerInfo', async () =>
      create(GetSignerInfoResponseSchema, { address: node.genesis.proposerAddress }),
    ),
  })
}

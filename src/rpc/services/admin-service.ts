import { create } from '@bufbuild/protobuf'
import {
  Code,
  ConnectError,
  createContextKey,
  type ConnectRouter,
  type ContextKey,
  type HandlerContext,
} from '@connectrpc/connect'
import type { Logger } from '../../core/logger.ts'
import { isLogLevel, LOG_LEVELS, type LogLevelControl } from '../../core/log-level.ts'
import { answering, invalidRequest } from '../errors.ts'
import {
  AdminService,
  GetLogLevelResponseSchema,
  SetLogLevelResponseSchema,
} from '../gen/evolve/v1/admin_pb.ts'

/** Whether a request comes from a program on this machine. Set by whoever took the request. */
export const FROM_OPERATOR: ContextKey<boolean> = createContextKey(false, {
  description: 'the request comes from this machine',
})

/**
 * Adds `evolve.v1.AdminService`. It is answered to programs on this machine alone: others, and pages in browsers,
 * which say where they come from, get PERMISSION_DENIED.
 */
export function addAdminService(
  router: ConnectRouter,
  { logLevel, logger }: { readonly logLevel: LogLevelControl; readonly logger: Logger },
): void {
  const answer = answering(logger)

  function refuseOthers({ values }: HandlerContext): void {
    if (!values.get(FROM_OPERATOR))
      throw new ConnectError('answered to programs on the machine of the node alone', Code.PermissionDenied)
  }

  router.service(AdminService, {
    getLogLevel: answer('GetLogLevel', async (_request, context) => {
      refuseOthers(context)
      return create(GetLogLevelResponseSchema, { level: logLevel.level() })
    }),
    setLogLevel: answer('SetLogLevel', async ({ level }, context) => {
      refuseOthers(context)
      if (!isLogLevel(level)) {
        throw invalidRequest(`level must be one of ${LOG_LEVELS.join(', ')}, got ${JSON.stringify(level)}`)
      }
      const previous = logLevel.level()
      logLevel.set(level)
      logger.info('the log level was changed', { from: previous, to: level })
      return create(SetLogLevelResponseSchema, { previous })
    }),
  })
}

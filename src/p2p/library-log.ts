import type { ComponentLogger } from '@libp2p/interface'
import type { Logger } from '../core/logger.ts'

type LibraryLogger = ReturnType<ComponentLogger['forComponent']>

function silent(): LibraryLogger {
  const log: LibraryLogger = Object.assign(() => {}, {
    enabled: false,
    error() {},
    trace() {},
    newScope: () => log,
  })
  return log
}

function speaking(logger: Logger, component: string): LibraryLogger {
  const fields = (format: unknown, args: readonly unknown[]) => ({ format: String(format), args })
  return Object.assign(
    (format: unknown, ...args: unknown[]) => logger.debug('libp2p', fields(format, args)),
    {
      enabled: true,
      error: (format: unknown, ...args: unknown[]) => logger.debug('libp2p error', fields(format, args)),
      trace: (format: unknown, ...args: unknown[]) => logger.trace('libp2p', fields(format, args)),
      newScope: (name: string) => speaking(logger, `${component}:${name}`),
    },
  )
}

/**
 * libp2p's own log lines. They cost more than the work they tell of, so they go nowhere unless a logger is given,
 * and then to its debug and trace levels.
 */
export function libraryLog(logger: Logger | undefined): ComponentLogger {
  if (logger === undefined) {
    const log = silent()
    return { forComponent: () => log }
  }
  return { forComponent: (component) => speaking(logger.child({ libp2p: component }), component) }
}

import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { createContextValues } from '@connectrpc/connect'
import { connectNodeAdapter, type ConnectNodeAdapterOptions } from '@connectrpc/connect-node'
import type { ByteSink } from './subscriptions/outlet.ts'
import { RESPONSE_SINK } from './subscriptions/serve.ts'

/** A response of either HTTP. */
type Response = Parameters<ReturnType<typeof connectNodeAdapter>>[1] | ServerResponse | Http2ServerResponse

/** A {@link ByteSink} of a response; its head must have been written before anything else is. */
export function responseSink(response: Response): ByteSink {
  return {
    write(bytes) {
      if (response.destroyed || response.writableEnded) return true
      // One call for each kind: their signatures differ.
      return 'stream' in response ? response.write(bytes) : response.write(bytes)
    },
    onDrain(listener) {
      response.on('drain', listener)
    },
    destroy() {
      if ('stream' in response) response.stream.close()
      else response.destroy()
    },
  }
}

/** As `connectNodeAdapter`, but services can write to the response themselves: they find it as `RESPONSE_SINK`. */
export function createConnectHandler(
  options: ConnectNodeAdapterOptions,
): ReturnType<typeof connectNodeAdapter> {
  const sinks = new WeakMap<object, ByteSink>()
  const handle = connectNodeAdapter({
    ...options,
    contextValues(request) {
      const values = options.contextValues?.(request) ?? createContextValues()
      return values.set(RESPONSE_SINK, sinks.get(request))
    },
  })
  return (request, response) => {
    // Whoever writes past the library must not bring the process down when the connection is lost in between.
    response.on('error', () => {})
    sinks.set(request, responseSink(response))
    handle(request, response)
  }
}

import { constants } from 'node:http2'
import type { HttpResponse } from './port.node.ts'
import type { ByteSink } from './subscriptions/outlet.ts'

/** Whether nobody is there any longer to take a response. One of HTTP/2 does not say so itself; its stream does. */
export function isGone(response: HttpResponse): boolean {
  return 'stream' in response ? response.stream.destroyed : response.destroyed
}

/** A {@link ByteSink} of a response; its head must have been written before anything else is. */
export function responseSink(response: HttpResponse): ByteSink {
  return {
    write(bytes) {
      if (isGone(response) || response.writableEnded) return true
      // One call for each kind: their signatures differ.
      return 'stream' in response ? response.write(bytes) : response.write(bytes)
    },
    onDrain(listener) {
      response.on('drain', listener)
    },
    destroy() {
      // Without an error it would wait until all was taken, by somebody who takes nothing.
      if ('stream' in response) response.stream.close(constants.NGHTTP2_CANCEL)
      else response.destroy()
    },
  }
}

/*
 * gRPC server reflection, by which generic clients learn what a server offers.
 * Source: grpc.reflection.v1 and v1alpha, whose messages are the same.
 */
import {
  create,
  createRegistry,
  type DescFile,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter } from '@connectrpc/connect'
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from '../gen/grpc/reflection/v1/reflection_pb.ts'
import {
  ServerReflection as ServerReflectionAlpha,
  type ServerReflectionRequest as AlphaRequest,
  ServerReflectionRequestSchema as AlphaRequestSchema,
  ServerReflectionResponseSchema as AlphaResponseSchema,
} from '../gen/grpc/reflection/v1alpha/reflection_pb.ts'

type Answer = MessageInitShape<typeof ServerReflectionResponseSchema>
type MessageResponse = NonNullable<Answer['messageResponse']>

/** Adds both versions of reflection over `files`, whose services are listed. */
export function addReflection(router: ConnectRouter, files: readonly DescFile[]): void {
  const all = files.flatMap(withDependencies)
  const registry = createRegistry(...all)
  const byName = new Map(all.map((file) => [file.proto.name, file]))
  const services = files.flatMap((file) => file.services.map(({ typeName }) => typeName))

  function fileOf(symbol: string): DescFile | undefined {
    const found = registry.get(symbol)
    if (found !== undefined) return found.file
    // Methods, fields and values of enumerations stand inside something that has a name of its own.
    const owner = symbol.slice(0, symbol.lastIndexOf('.'))
    const outer = owner === '' ? undefined : registry.get(owner)
    const last = symbol.slice(owner.length + 1)
    if (outer?.kind === 'service')
      return outer.methods.some(({ name }) => name === last) ? outer.file : undefined
    if (outer?.kind === 'message')
      return outer.fields.some(({ name }) => name === last) ? outer.file : undefined
    return undefined
  }

  function answer(request: ServerReflectionRequest): Answer {
    const { messageRequest } = request
    const about = { validHost: request.host, originalRequest: request }
    switch (messageRequest.case) {
      case 'listServices':
        return {
          ...about,
          messageResponse: {
            case: 'listServicesResponse',
            value: { service: services.map((name) => ({ name })) },
          },
        }
      case 'fileByFilename':
        return { ...about, messageResponse: descriptors(byName.get(messageRequest.value)) }
      case 'fileContainingSymbol':
        return { ...about, messageResponse: descriptors(fileOf(messageRequest.value)) }
      case 'allExtensionNumbersOfType':
        return {
          ...about,
          messageResponse:
            registry.getMessage(messageRequest.value) === undefined
              ? failure(Code.NotFound, 'no such type')
              : {
                  case: 'allExtensionNumbersResponse',
                  value: { baseTypeName: messageRequest.value, extensionNumber: [] },
                },
        }
      case 'fileContainingExtension':
        return { ...about, messageResponse: failure(Code.NotFound, 'there are no extensions') }
      case undefined:
      default:
        return { ...about, messageResponse: failure(Code.InvalidArgument, 'expected a request') }
    }
  }

  async function* answers(
    requests: AsyncIterable<ServerReflectionRequest>,
  ): AsyncGenerator<ServerReflectionResponse> {
    for await (const request of requests) yield create(ServerReflectionResponseSchema, answer(request))
  }

  router.service(ServerReflection, { serverReflectionInfo: answers })
  router.service(ServerReflectionAlpha, {
    async *serverReflectionInfo(requests) {
      for await (const response of answers(fromAlpha(requests))) {
        yield fromBinary(AlphaResponseSchema, toBinary(ServerReflectionResponseSchema, response))
      }
    },
  })
}

/** The messages of both versions have the same bytes. */
async function* fromAlpha(requests: AsyncIterable<AlphaRequest>): AsyncGenerator<ServerReflectionRequest> {
  for await (const request of requests) {
    yield fromBinary(ServerReflectionRequestSchema, toBinary(AlphaRequestSchema, request))
  }
}

function withDependencies(file: DescFile): DescFile[] {
  return [...new Set([...file.dependencies.flatMap(withDependencies), file])]
}

/** A file and what it builds on, in the order a reader needs them. */
function descriptors(file: DescFile | undefined): MessageResponse {
  if (file === undefined) return failure(Code.NotFound, 'no such file or symbol')
  return {
    case: 'fileDescriptorResponse',
    value: {
      fileDescriptorProto: withDependencies(file).map(({ proto }) =>
        toBinary(FileDescriptorProtoSchema, proto),
      ),
    },
  }
}

function failure(errorCode: Code, errorMessage: string): MessageResponse {
  return { case: 'errorResponse', value: { errorCode, errorMessage } }
}

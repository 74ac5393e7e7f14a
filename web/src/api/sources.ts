/** Who sends what into a project, and what people decide about it. */
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, http } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Source = Schemas['SourceBody'];
export type Sources = Schemas['SourcesBody'];

export type FileSource = Schemas['FileSourceBody'];

const EVERY_MS = 10_000;
const one = (project: string, source: string) => ({ params: { path: { project, source } } });

export const useSources = (project: string) =>
  useQuery({
    queryKey: [project, 'sources'],
    queryFn: ({ signal }) =>
      answer<Sources>(
        http.GET('/api/v1/projects/{project}/sources', { params: { path: { project } }, signal }),
        signal,
      ),
    refetchInterval: EVERY_MS,
    placeholderData: keepPreviousData,
  });

export const useFiles = (project: string) =>
  useQuery({
    queryKey: [project, 'files'],
    queryFn: ({ signal }) =>
      answer<Schemas['FilesBody']>(
        http.GET('/api/v1/projects/{project}/files', { params: { path: { project } }, signal }),
        signal,
      ),
    refetchInterval: EVERY_MS,
    placeholderData: keepPreviousData,
  });

export type Decision = 'watch' | 'unwatch' | 'end';

/** Decides about a source; afterwards the list is read anew. */
export function useDecideSource(project: string, source: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (decision: Decision) =>
      answer<unknown>(
        decision === 'end'
          ? http.DELETE('/api/v1/projects/{project}/sources/{source}', one(project, source))
          : http.PATCH('/api/v1/projects/{project}/sources/{source}', {
              ...one(project, source),
              body: { watched: decision === 'watch' },
            }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: [project, 'sources'] }),
  });
}

// Made by `npm run types` from the API description of the server.

export interface paths {
    "/api/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The API description for people. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": string;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The newest lines of the audit trail, newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description At most this many; 1 to 1,000, default 100. */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AuditBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Appends events. Served by the collector, described here. gzip, deflate, br and zstd are accepted; a write or
         *     secret key is needed.
         */
        post: {
            parameters: {
                query?: {
                    /** @description `durable` (default), or `visible`: answer when queries count them */
                    wait?: string;
                    /** @description `live` (default), or `bulk` for imports */
                    lane?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewEventsBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AcceptedBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The instance's admin keys, newest first. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KeysBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        /** Creates an admin key. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewAdminKey"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KeyBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys/{key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends an admin key. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    key: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Opens a session. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["LogIn"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SessionBody"];
                    };
                };
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the session. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SessionBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The API description for programs. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, unknown>;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Incidents with the alerts that went out for them, newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description At most this many; 1 to 1,000, default 100. */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AlertsBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/alerts/{alert}/acknowledge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Somebody looks after an incident: it does not escalate any more. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    alert: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AlertBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/backups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Backups and rehearsals of a restore, newest first, with their schedule. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BackupsBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/dead-letters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Records that belong to no project, because their key is unknown, newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description At most this many; 1 to 1,000, default 100. */
                    limit?: number;
                    /** @description `next` of the page before. */
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeadLettersBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/dead-letters/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Gives letters that belong to no project to one, and decides them again. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RedriveBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RedrivenBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/estimates": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** When backlogs will be worked off, and how good earlier estimates were; newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description At most this many; 1 to 1,000, default 100. */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["EstimatesBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/findings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is wrong now. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["FindingsBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/incidents/{incident}/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The draft of a report about an incident: what was found, who was affected, when what happened, what was estimated.
         *     As JSON, or as Markdown alone if `Accept` names `text/markdown`.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    incident: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["IncidentReportBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The newest jobs, newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description At most this many; 1 to 1,000, default 100. */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobsBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        /** Starts a job. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewJobBody"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                428: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/jobs/scope": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** What a job would touch, without starting it: for the question before a destructive one. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewJobBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobScopeBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/jobs/{job}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One job. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    job: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/jobs/{job}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends a job; what it did stays. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    job: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/jobs/{job}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a job wait. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    job: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/jobs/{job}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets a job go on. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    job: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/loss-report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who is affected by a range of the log: its equation, its gaps, and who sent the records. */
        get: {
            parameters: {
                query: {
                    /** @description `live` or `bulk`. */
                    lane: string;
                    /** @description Partition, default 0. */
                    partition?: number;
                    /** @description First offset. */
                    from: number;
                    /** @description First offset after. */
                    to: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["LossReportBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/maintenances": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Maintenance windows, latest first. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MaintenancesBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        /** Announces a maintenance window. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewMaintenanceBody"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MaintenanceBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/maintenances/{maintenance}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Changes a maintenance window. */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    maintenance: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewMaintenanceBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MaintenanceBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        post?: never;
        /** Takes a maintenance window back. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    maintenance: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The instance's settings, without secrets. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SettingsBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        /** Changes settings. */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ChangeSettingsBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SettingsBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                428: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/summary": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The instance at a glance: environment, identity, problems, work in progress. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OperationsSummaryBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/throttle": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The rules of throttling that the collector obeys. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, unknown>;
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        /** Replaces the rules of throttling; they are in force when this is answered. */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": Record<string, unknown>;
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, unknown>;
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The projects the caller may see. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ProjectsBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        /** Creates a project with its first write and secret key. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewProjectBody"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ProjectBody"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One project, by id or name. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ProjectBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /**
         * Deletes a project: nobody sees it any more. What is still sent to it is kept, so that for seven days it can be
         *     restored whole.
         */
        delete: {
            parameters: {
                query?: {
                    /** @description The environment's name; needed where the environment is protected. */
                    confirm?: string;
                    /** @description Why, for the audit trail. */
                    reason?: string;
                };
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeletedProjectBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                428: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Changes a project's options. */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ChangeProjectBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ProjectBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/v1/projects/{project}/accounting": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who sent what to the project: by lane and hour from the books, by key and minute from the log as far as it
         *     still holds the records.
         */
        get: {
            parameters: {
                query?: {
                    /** @description From this instant or local date on; default the last 24 hours. */
                    from?: string;
                    /** @description Before this instant, or through this local date. */
                    to?: string;
                };
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AccountingBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/cohorts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A project's cohorts, by name. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CohortsBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        /** Keeps a cohort. With `query` it is made of the actors behind the number that its `microscope` names. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewCohortBody"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CohortBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/cohorts/{cohort}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One cohort. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    cohort: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CohortBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Forgets a cohort. Queries that name it fail from now on. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    cohort: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Renames a cohort or changes its definition. */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    cohort: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ChangeCohortBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CohortBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/v1/projects/{project}/cohorts/{cohort}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Members when the cohort was last looked at, by name. `Accept: text/csv` gives CSV. */
        get: {
            parameters: {
                query?: {
                    /** @description At most this many; 1 to 1,000, default 100. */
                    limit?: number;
                    /** @description `next` of the page before. */
                    cursor?: string;
                };
                header?: never;
                path: {
                    /** @description Number from the list */
                    cohort: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, unknown>;
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/dead-letters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Records that could not be stored, newest first, with the bytes that were sent. */
        get: {
            parameters: {
                query?: {
                    /** @description At most this many; 1 to 1,000, default 100. */
                    limit?: number;
                    /** @description `next` of the page before. */
                    cursor?: string;
                };
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeadLettersBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/dead-letters/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Decides dead letters again: with mended bytes, by a mapping, or as they are. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RedriveBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RedrivenBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/definitions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The newest version of each, by kind and name. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DefinitionsBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/definitions/{kind}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Makes or changes a definition; it holds for all history at once. */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    name: string;
                    /** @description Number from the list */
                    kind: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": unknown;
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DefinitionBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        post?: never;
        /** Deletes a definition; its versions stay readable. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    name: string;
                    /** @description Number from the list */
                    kind: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/definitions/{kind}/{name}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every version of a definition, newest first. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    name: string;
                    /** @description Number from the list */
                    kind: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DefinitionsBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/erasures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Wishes to forget persons, newest first. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErasuresBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/erasures/{erasure}/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Takes an erasure back, within seven days. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    erasure: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErasureBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Events, newest first. `Accept: text/csv` gives CSV, `Accept: text/event-stream` the live tail. */
        get: {
            parameters: {
                query?: {
                    /** @description At most this many; 1 to 1,000, default 100. */
                    limit?: number;
                    /** @description `next` of the page before. */
                    cursor?: string;
                    /** @description Only this name, or a JSON list of names. */
                    event?: string;
                    /** @description Only this person: a person id, a user id or a device id. */
                    person?: string;
                    /** @description From this instant or local date on. */
                    from?: string;
                    /** @description Before this instant, or through this local date. */
                    to?: string;
                    /** @description For CSV: do not disarm cells that a spreadsheet would take for formulas. */
                    raw?: boolean;
                };
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["EventsBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Buckets and folders whose files become events of the project: how far each is. What is watched stands in a file of
         *     the server, which only its operator can write.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["FilesBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The project's keys, newest first. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KeysBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        /** Creates a key for the project. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewProjectKey"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KeyBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/keys/{key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends a key of the project. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    key: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/ledger": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What was acknowledged and what became of it. */
        get: {
            parameters: {
                query?: {
                    /** @description From this instant or local date on. */
                    from?: string;
                    /** @description Before this instant, or through this local date. */
                    to?: string;
                };
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["LedgerBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/outcomes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What became of a record: its outcome, the rule that filtered it and since when, the witness it duplicates. */
        get: {
            parameters: {
                query?: {
                    /** @description `lane/partition@offset`, such as `live/0@123`. */
                    position?: string;
                    /** @description Or the insert id it was sent with; searched among the newest records of the log. */
                    insert_id?: string;
                };
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OutcomesBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/persons": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Persons that match. `Accept: text/csv` gives CSV. */
        get: {
            parameters: {
                query?: {
                    /** @description Part of a user id, a device id, an email or a name. */
                    q?: string;
                    /** @description At most this many; 1 to 1,000, default 100. */
                    limit?: number;
                    /** @description `next` of the page before. */
                    cursor?: string;
                    /** @description For CSV: do not disarm cells that a spreadsheet would take for formulas. */
                    raw?: boolean;
                };
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PersonsBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/persons/{person}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One person, by person id, user id or device id. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Person id, user id or device id */
                    person: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PersonBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/persons/{person}/erase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Forgets a person: queries stop counting them as soon as the log carries the wish; files follow after seven days. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Person id, user id or device id */
                    person: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["EraseBody"];
                };
            };
            responses: {
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErasureBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                428: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/persons/{person}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Everything of one person as NDJSON: a `person`, their `event`s, newest first, and an `end` with the count. A file
         *     without its `end` is incomplete.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Person id, user id or device id */
                    person: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/x-ndjson": string;
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/persons/{person}/timeline": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A person's events, newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description At most this many; 1 to 1,000, default 100. */
                    limit?: number;
                    /** @description `next` of the page before. */
                    cursor?: string;
                };
                header?: never;
                path: {
                    /** @description Person id, user id or device id */
                    person: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["EventsBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/query": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The same for links. */
        get: {
            parameters: {
                query: {
                    /** @description The query object as JSON. */
                    q: string;
                };
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, unknown>;
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Runs a query. `Accept: text/event-stream` gives `progress` events, then `result` or `error`;
         *     `Cache-Control: no-cache` has it computed even where an answer is kept.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": Record<string, unknown>;
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, unknown>;
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/query/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Shows what a query would read. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": Record<string, unknown>;
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, unknown>;
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Brings a deleted project back, by id or name, within seven days. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ProjectBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/rules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The newest version of each rule of the project. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RulesBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        /** Adds a rule. It decides from the position on at which the log carries it; no stored event changes. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewRuleBody"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RuleBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/rules/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Tries a rule over the records that are still in the log or its archive, without switching it on. Answers with
         *     the report if it is ready soon, else with the job to ask for.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PreviewBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PreviewedBody"];
                    };
                };
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PreviewedBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/rules/{rule}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Adds a version of a rule; `enabled: false` switches it off. */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    rule: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewRuleBody"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RuleBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/rules/{rule}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every version of a rule, oldest first, with the positions from which on it decided. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    rule: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RulesBody"];
                    };
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/schema": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Event and property names with types and volumes. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SchemaBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/sources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who sends what into the project: one library under one key in one protocol; the newest event first. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SourcesBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/projects/{project}/sources/{source}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** The source ended for good: it is forgotten with its history. Its events stay; if it sends again it is a new source. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    source: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Whether anybody is told when the source falls silent or its volume changes. In force with the next look of the watch. */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Number from the list */
                    source: string;
                    /** @description Id or name of the project */
                    project: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WatchSourceBody"];
                };
            };
            responses: {
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/v1/receipts/{receipt}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What became of the events of a request, by its receipt. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description `receipt` of an answer to POST /api/v1/events */
                    receipt: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReceiptBody"];
                    };
                };
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who is logged in, and whether the instance needs to be set up. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SessionBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/setup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Creates the first person with the code that the server printed. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SetUp"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SetUpDone"];
                    };
                };
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How the parts of the instance are doing. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StatusBody"];
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs/errors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All error codes. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": string;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs/errors/{code}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One error code. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Error code such as TM0201 */
                    code: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": string;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This process answers. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, unknown>;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This process can answer questions. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, unknown>;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Prometheus text. From the machine itself, or with an admin key. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": string;
                    };
                };
                /** @description A documented error, such as TM0201 */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/api/v2/components.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** State of every component. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StatusComponentsBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/api/v2/incidents.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The newest incidents. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StatusIncidentsBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/api/v2/incidents/unresolved.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Incidents that are open. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StatusIncidentsBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/api/v2/scheduled-maintenances.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Maintenance windows. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StatusMaintenancesBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/api/v2/scheduled-maintenances/active.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Maintenance windows that are running. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StatusMaintenancesBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/api/v2/scheduled-maintenances/upcoming.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Maintenance windows to come. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StatusMaintenancesBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/api/v2/status.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The state of the whole. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StatusOnlyBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/api/v2/summary.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** State of every component, open incidents, planned maintenance. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["StatusSummaryBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/history.atom": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The history as Atom. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/atom+xml": string;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/history.rss": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The history as RSS. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/rss+xml": string;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/status/page.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Everything on the status page, also what Statuspage's documents have no room for: estimates with their errors,
         *     uptime by day, what the ledger says about losses.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, unknown>;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description What was made durable. Valid events are kept although others beside them are not. `durable` and `visible` are
         *     told with `?wait=visible`.
         */
        AcceptedBody: {
            /** Format: int64 */
            accepted: number;
            durable?: boolean | null;
            receipt: string;
            rejected: components["schemas"]["RejectedBody"][];
            visible?: boolean | null;
        };
        /** @description Who sent what: events of a project by lane and hour, and by key as far as the log still holds them. */
        AccountingBody: {
            /** Format: int64 */
            events_read: number;
            hours: components["schemas"]["AccountingHourBody"][];
            /** Format: int64 */
            offsets_unread: number;
            senders: components["schemas"]["SenderBody"][];
        };
        AccountingHourBody: {
            hour: string;
            lane: string;
            tally: components["schemas"]["TallyBody"];
        };
        /** @description Where in the log, and when. */
        AffectedBody: {
            /** Format: int64 */
            count?: number | null;
            /** Format: int64 */
            from?: number | null;
            lane?: string | null;
            /** Format: int32 */
            partition?: number | null;
            received_from?: string | null;
            received_to?: string | null;
            /** Format: int64 */
            to?: number | null;
        };
        /**
         * @description An incident as operators see it, with the alerts that went out for it. `status`: `investigating`, `identified`,
         *     `monitoring`, `resolved`.
         */
        AlertBody: {
            acknowledged_at?: string | null;
            acknowledged_by?: string | null;
            deliveries: components["schemas"]["DeliveryBody"][];
            /** @description Monitors that speak of it. */
            findings: components["schemas"]["FindingBody"][];
            id: string;
            impact: string;
            opened_at: string;
            resolved_at?: string | null;
            severity: string;
            status: string;
            title: string;
        };
        AlertsBody: {
            alerts: components["schemas"]["AlertBody"][];
        };
        AuditBody: {
            entries: components["schemas"]["AuditEntryBody"][];
        };
        AuditEntryBody: {
            action: string;
            actor: string;
            at: string;
            subject: string;
        };
        /**
         * @description Backups and rehearsals with their schedule. `results`: all that were made or tried, by schedule or by job, newest
         *     first; `backups` and `rehearsals`: those that somebody asked for.
         */
        BackupsBody: {
            backups: components["schemas"]["JobBody"][];
            newest_backup?: string | null;
            newest_rehearsal?: string | null;
            rehearsals: components["schemas"]["JobBody"][];
            results: components["schemas"]["CareBody"][];
            schedule: Record<string, unknown>;
        };
        /** @description A backup or a rehearsal that was made or tried. `kind`: `backup`, `rehearsal`. */
        CareBody: {
            at: string;
            error?: string | null;
            kind: string;
            ok: boolean;
            report: Record<string, unknown>;
        };
        /** @description What to change. */
        ChangeCohortBody: {
            /** @description Of dynamic cohorts only. */
            definition?: unknown;
            name?: string | null;
        };
        /** @description What is to change about a project; what is left out stays. */
        ChangeProjectBody: {
            limits?: components["schemas"]["QueryLimits"] | null;
            /**
             * Format: double
             * @description Longest pause within a session, in minutes: 0.1 to 1440. New answers use it for all history.
             */
            session_timeout_min?: number | null;
        };
        /**
         * @description Settings to change; those that are left out stay. Changing `environment` or `protected` of a protected
         *     environment needs `confirm`.
         */
        ChangeSettingsBody: {
            alerts?: Record<string, unknown> | null;
            backup?: Record<string, unknown> | null;
            confirm?: string | null;
            environment?: string | null;
            protected?: boolean | null;
            retention?: Record<string, unknown> | null;
            status_page?: Record<string, unknown> | null;
        };
        /** @description A cohort. */
        CohortBody: {
            by: string;
            changed_at: string;
            /** @description The definition; null for a static one, whose members are its persons. */
            definition?: unknown;
            /** @description What queries call it. */
            id: string;
            /** @description `dynamic` or `static`. */
            kind: string;
            made_at: string;
            membership?: components["schemas"]["MembershipBody"] | null;
            /** @description Unique within the project. */
            name: string;
            /**
             * Format: int32
             * @description Counts changes of the definition.
             */
            version: number;
        };
        /**
         * @description Whether membership follows a definition.
         * @enum {string}
         */
        CohortKindBody: "dynamic" | "static";
        /** @description Cohorts. */
        CohortsBody: {
            cohorts: components["schemas"]["CohortBody"][];
        };
        /** @description A part of the instance, such as a process. */
        Component: {
            /** @description More for people; may be empty. */
            detail: string;
            /** @description Which part. */
            name: string;
            /** @description How it is doing. */
            status: components["schemas"]["ComponentStatus"];
        };
        /**
         * @description How a part of the instance is doing.
         * @enum {string}
         */
        ComponentStatus: "up" | "down" | "unknown";
        ConflictHourBody: {
            /** Format: int64 */
            count: number;
            hour: string;
        };
        /** @description Records with the insert id of another event. The first one counts; these are among the duplicates of the identity. */
        ConflictsBody: {
            /** @description By hour of receipt, newest first; at most 200. */
            hours: components["schemas"]["ConflictHourBody"][];
            /** Format: int64 */
            total: number;
        };
        /** @description A record that could not be stored, with the bytes that were sent. */
        DeadLetterBody: {
            body: string;
            lane: string;
            /** Format: int64 */
            offset: number;
            /** Format: int32 */
            partition: number;
            /** @description `lane/partition@offset`, as redrive takes it. */
            position: string;
            reason: components["schemas"]["ReasonBody"];
            received_at: string;
            /** @description Protocol of `body`, such as `native_v1`. */
            wire: string;
        };
        DeadLettersBody: {
            dead: components["schemas"]["DeadLetterBody"][];
            next?: string | null;
        };
        /** @description One version of a definition. */
        DefinitionBody: {
            /** @description What it says; null: deleted by this version. */
            body?: unknown;
            /** @description Who made this version. */
            by: string;
            /** @description `virtual_event`, `custom_property`, `lookup` or `rename`. */
            kind: string;
            /** @description When. */
            made_at: string;
            /** @description Its name, unique within project and kind. */
            name: string;
            /**
             * Format: int32
             * @description Counts from 1.
             */
            version: number;
        };
        /** @description Definitions. */
        DefinitionsBody: {
            definitions: components["schemas"]["DefinitionBody"][];
        };
        /** @description A deleted project; its data goes after `undo_until`. */
        DeletedProjectBody: {
            id: string;
            name: string;
            undo_until: string;
        };
        /** @description One message to one receiver. `state`: `waiting`, `delivered`, `failed`. */
        DeliveryBody: {
            at: string;
            channel: string;
            error?: string | null;
            /** @description What it told: `opened`, `update:7`, `reminder:2`, `escalated:1`. */
            reason: string;
            state: string;
        };
        /** @description Why a person is to be forgotten. */
        EraseBody: {
            /** @description The environment's name; needed where the environment is protected. */
            confirm?: string | null;
            reason: string;
        };
        /** @description A raw id. `kind`: `user` or `device`. */
        ErasedSubjectBody: {
            id: string;
            kind: string;
        };
        /**
         * @description A wish to forget a person. `state`: `unpublished`, `hidden` (rows do not count, it can be taken back until
         *     `undo_until`), `due` (rows are being removed from files), `done`, `undone`.
         */
        ErasureBody: {
            by: string;
            completed_at?: string | null;
            /** Format: int32 */
            id: number;
            made_at: string;
            published_at?: string | null;
            reason: string;
            state: string;
            subjects: components["schemas"]["ErasedSubjectBody"][];
            undo_until: string;
            undone: boolean;
        };
        ErasuresBody: {
            erasures: components["schemas"]["ErasureBody"][];
        };
        /** @description Every error. */
        ErrorBody: {
            error: components["schemas"]["ErrorDetail"];
        };
        /** @description What is wrong, where, what to do, and where to read more. */
        ErrorDetail: {
            code: string;
            docs: string;
            hint: string;
            message: string;
        };
        /** @description When a backlog will be worked off: the middle estimate with its range. `actual` and `error` are told once it is. */
        EstimateBody: {
            actual?: string | null;
            at: string;
            /** Format: int64 */
            backlog: number;
            /**
             * Format: double
             * @description Events per second.
             */
            drain_rate?: number | null;
            earliest?: string | null;
            /**
             * Format: double
             * @description (eta - actual) / (actual - at), once known.
             */
            error?: number | null;
            eta?: string | null;
            lane?: string | null;
            latest?: string | null;
            /** Format: int32 */
            partition?: number | null;
        };
        EstimatesBody: {
            estimates: components["schemas"]["EstimateBody"][];
        };
        /** @description One stored event. `seq` orders the events of an instance; `person` is null if no usable id came with it. */
        EventBody: {
            annotations: string[];
            device_id?: string | null;
            event: string;
            groups: Record<string, unknown>;
            insert_id?: string | null;
            person?: string | null;
            properties: Record<string, unknown>;
            received_at: string;
            seq: string;
            session_id?: string | null;
            time: string;
            user_id?: string | null;
        };
        /** @description A page of events; `next` is the `cursor` of the following page. */
        EventsBody: {
            events: components["schemas"]["EventBody"][];
            next?: string | null;
        };
        /** @description An object that cannot be read to its end. */
        FailedObjectBody: {
            object: string;
            reason: string;
        };
        /**
         * @description A bucket or folder whose files become events. `state`: `new`, `working`, `waiting` (the server takes no rows now),
         *     `failing` (its last round ended early), `idle`. Objects are named a few of many.
         */
        FileSourceBody: {
            /** @description Objects that changed after they were taken. */
            changed: string[];
            /** Format: int64 */
            done: number;
            failed: components["schemas"]["FailedObjectBody"][];
            /** @description What a row is, or `mapped`. */
            format: string;
            from: string;
            last_object?: string | null;
            last_object_at?: string | null;
            /** @description When the last round began. */
            looked_at?: string | null;
            name: string;
            /**
             * Format: int64
             * @description Objects that are there and match, and how many of them are taken.
             */
            objects: number;
            /** @description Why the last round ended early, or what the server says. */
            reason?: string | null;
            /** Format: int64 */
            rejected: number;
            /**
             * Format: int64
             * @description Rows that were taken and refused, in all.
             */
            rows: number;
            /**
             * Format: double
             * @description While a round is under way.
             */
            rows_per_second?: number | null;
            /**
             * Format: double
             * @description Seconds until the round ends, as far as anybody knows.
             */
            seconds_left?: number | null;
            state: string;
            /** @description Objects whose name says nothing about their kind. */
            unknown: string[];
        };
        /** @description Sources of files, in the order of the server's file. */
        FilesBody: {
            files: components["schemas"]["FileSourceBody"][];
        };
        /** @description The rule that filtered a record, as of the version that decided it. */
        FilteredByBody: {
            by?: string | null;
            enabled?: boolean | null;
            /** Format: int32 */
            id: number;
            /** @description When this version was made. */
            made_at?: string | null;
            name: string;
            reason?: string | null;
            /** @description From which position of this shard on it is in force. */
            since?: string | null;
            /** Format: int32 */
            version?: number | null;
        };
        /**
         * @description One thing that is not as it should be. `severity`: `info`, `warning`, `critical`; `impact` is what users notice:
         *     `none`, `minor`, `major`, `critical`; `runbook` is a page of the documents.
         */
        FindingBody: {
            affected: components["schemas"]["AffectedBody"][];
            component: string;
            detail: string;
            id: string;
            impact: string;
            monitor: string;
            projects: string[];
            runbook: string;
            severity: string;
            since: string;
            title: string;
        };
        FindingsBody: {
            findings: components["schemas"]["FindingBody"][];
        };
        /** @description A range of the log that could not be read. */
        GapBody: {
            cause: string;
            evidence: string;
            /** Format: int64 */
            from: number;
            lane: string;
            /** Format: int32 */
            partition: number;
            /** Format: int64 */
            to: number;
        };
        /** @description Events that were refused (the sender knows) or throttled, by hour and reason. */
        HeldBackBody: {
            /** @description False if they could not be read; the counts are 0 then. */
            known: boolean;
            /** Format: int64 */
            refused: number;
            rows: components["schemas"]["HeldBackRowBody"][];
            /** Format: int64 */
            throttled: number;
        };
        HeldBackRowBody: {
            /** Format: int64 */
            count: number;
            hour: string;
            /** @description `throttled` or `refused`. */
            kind: string;
            reason: string;
        };
        /**
         * @description What was acknowledged and what became of it:
         *     `acknowledged = visible + duplicate + filtered + dead + pending`.
         */
        IdentityBody: {
            /** Format: int64 */
            acknowledged: number;
            /** @description False if the books of the instance do not add up to its log. */
            balanced: boolean;
            /** Format: int64 */
            dead: number;
            /** Format: int64 */
            duplicate: number;
            /** Format: int64 */
            filtered: number;
            /** Format: int64 */
            pending: number;
            /** @description False if the backlog was too long to be read, so that `pending` of one project is a lower bound. */
            pending_exact: boolean;
            /** Format: int64 */
            visible: number;
        };
        /** @description How identity is decided in a project. */
        IdentityOptions: {
            shared_device?: components["schemas"]["SharedDevice"] | null;
        };
        /** @description From `position` on, in this shard. */
        InForceBody: {
            lane: string;
            /** Format: int64 */
            offset: number;
            /** Format: int32 */
            partition: number;
            position: string;
        };
        /** @description An incident with the draft of a report about it, in Markdown. */
        IncidentReportBody: {
            incident: components["schemas"]["AlertBody"];
            markdown: string;
        };
        /** @description A row of the ledger; the tally is the project's part. `status`: `accounted`, `skipped`, `lost`. */
        IntervalBody: {
            fingerprint: string;
            /** Format: int64 */
            from: number;
            lane: string;
            /** Format: int32 */
            partition: number;
            reason?: string | null;
            received_from: string;
            received_to: string;
            status: string;
            tally: components["schemas"]["TallyBody"];
            /** Format: int64 */
            to: number;
        };
        /** @description A job. `state`: `queued`, `running`, `paused`, `done`, `failed`, `cancelled`; `wish`: `run`, `pause`, `cancel`. */
        JobBody: {
            by: string;
            created_at: string;
            dry_run: boolean;
            error?: string | null;
            finished_at?: string | null;
            id: string;
            kind: string;
            progress: components["schemas"]["JobProgressBody"];
            project?: string | null;
            reason: string;
            report: Record<string, unknown>;
            spec: Record<string, unknown>;
            started_at?: string | null;
            state: string;
            updated_at: string;
            wish: string;
        };
        /** @description How far a job is. */
        JobProgressBody: {
            /** Format: int64 */
            done: number;
            eta?: string | null;
            note: string;
            /** Format: int64 */
            total: number;
            unit: string;
        };
        /** @description What a job would touch, told at once and without doing anything. */
        JobScopeBody: {
            /** @description True if `confirm` will be asked for. */
            destructive: boolean;
            environment: string;
            /**
             * Format: int64
             * @description Records in the ranges; for `reprocess` by receive time an upper bound.
             */
            events: number;
            /** @description Why it would be refused, if it would. */
            problem?: string | null;
            projects: string[];
            protected: boolean;
            ranges: components["schemas"]["RangeBody"][];
        };
        JobsBody: {
            jobs: components["schemas"]["JobBody"][];
        };
        /** @description A key. `value` is shown once for secret and admin keys, always for write keys. */
        KeyBody: {
            created_at: string;
            id: string;
            kind: string;
            last_used_at?: string | null;
            name: string;
            prefix: string;
            revoked_at?: string | null;
            value?: string | null;
        };
        KeysBody: {
            keys: components["schemas"]["KeyBody"][];
        };
        /** @description One partition of one lane. `watermark`: everything received up to then is processed. */
        LaneBody: {
            /** Format: int64 */
            cursor: number;
            /** Format: int64 */
            end: number;
            lane: string;
            /** Format: int32 */
            partition: number;
            /** Format: int64 */
            pending: number;
            /** Format: int64 */
            start: number;
            watermark?: string | null;
        };
        /** @description The books of a project. `complete_through`: everything received up to then is counted. */
        LedgerBody: {
            as_of: string;
            /** Format: int64 */
            commit: number;
            complete_through?: string | null;
            conflicts?: components["schemas"]["ConflictsBody"] | null;
            gaps: components["schemas"]["GapBody"][];
            /** @description Events that never became records, beside the identity. */
            held_back: components["schemas"]["HeldBackBody"];
            identity: components["schemas"]["IdentityBody"];
            instance?: components["schemas"]["IdentityBody"] | null;
            /** @description Newest rows at the end; at most 2,000 unless a span is given. */
            intervals: components["schemas"]["IntervalBody"][];
            /** Format: int64 */
            intervals_left_out: number;
            lanes: components["schemas"]["LaneBody"][];
            log?: string | null;
            /** @description Accounts that were replaced (replay, reprocess, redrive, erasure), newest first; at most 200. */
            restatements: components["schemas"]["RestatementBody"][];
            /** @description Intervals passed by on purpose, whatever the span; they count as pending until they are replayed. */
            skipped: components["schemas"]["SkippedBody"][];
        };
        /** @description Who wants to log in. */
        LogIn: {
            email: string;
            password: string;
        };
        /**
         * @description Who is affected by a range: its equation, and who sent the records that the log still holds.
         *     `offsets = visible + duplicate + filtered + dead + control + hole + skipped + lost + pending`.
         */
        LossReportBody: {
            equation: components["schemas"]["RangeEquationBody"];
            /**
             * Format: int64
             * @description Event records that were read from the log for `senders`.
             */
            events_read: number;
            /** Format: int64 */
            from: number;
            gaps: components["schemas"]["GapBody"][];
            lane: string;
            /**
             * Format: int64
             * @description Offsets the log no longer holds, or too many to read.
             */
            offsets_unread: number;
            /** Format: int32 */
            partition: number;
            received_from?: string | null;
            received_to?: string | null;
            senders: components["schemas"]["SenderBody"][];
            /** Format: int64 */
            to: number;
        };
        /** @description A planned interruption. `status`: `scheduled`, `in_progress`, `completed`. */
        MaintenanceBody: {
            components: string[];
            ends_at: string;
            id: string;
            message: string;
            name: string;
            starts_at: string;
            status: string;
        };
        MaintenancesBody: {
            maintenances: components["schemas"]["MaintenanceBody"][];
        };
        /** @description About a stored membership. */
        MembershipBody: {
            /** @description When. */
            computed_at: string;
            /** @description True if it is of the definition as it stands. */
            current: boolean;
            /** @description Why it could not be computed. */
            problem?: string | null;
            /**
             * Format: int64
             * @description The commit it was computed at.
             */
            seq: number;
            /**
             * Format: int64
             * @description How many persons.
             */
            size: number;
        };
        MergeBody: {
            at: string;
            detail: unknown;
            kind: string;
        };
        /** @description An admin key to make. */
        NewAdminKey: {
            /** @description A label for people. */
            name?: string | null;
        };
        /** @description A cohort to be kept: of a definition, or of the actors behind a number. */
        NewCohortBody: {
            /** @description A definition. */
            definition?: unknown;
            kind?: components["schemas"]["CohortKindBody"] | null;
            name: string;
            /** @description A query with a `microscope`. */
            query?: unknown;
        };
        /**
         * @description `time` is ISO-8601 or milliseconds, default now; `insert_id` makes resending harmless; `user_properties` is an
         *     object to set, or operations such as `{"$add":{"logins":1}}`. `$identify`, `$alias`, `$merge` and `$reset` are
         *     operations; `$alias` and `$merge` carry the other id in `properties.alias`.
         */
        NewEventBody: {
            device_id?: string | null;
            event: string;
            /** @description Changes of the properties of every group of the event, as in `user_properties`. */
            group_properties?: Record<string, unknown> | null;
            groups?: Record<string, unknown> | null;
            insert_id?: string | null;
            properties?: Record<string, unknown> | null;
            session_id?: string | null;
            time?: unknown;
            user_id?: string | null;
            user_properties?: Record<string, unknown> | null;
        };
        /** @description Events to append. Members that are not named here become properties. */
        NewEventsBody: {
            events: components["schemas"]["NewEventBody"][];
        };
        /**
         * @description A job to start. `kind` and `spec`:
         *     `skip` `{"ranges":[{lane, partition, from, to}]}`; `replay` the same, no ranges = everything skipped;
         *     `reprocess` `{"ranges":[…]}` or `{"received_from","received_to"}`, for all projects or one;
         *     `rebuild_state`, `rebuild_identity`, `rebuild_segments` `{}`; `backup` `{"to": url}`; `rehearse` `{"from": url}`.
         */
        NewJobBody: {
            /** @description The environment's name. `skip` and `reprocess` need it where the environment is protected. */
            confirm?: string | null;
            /** @description Only report what would happen. */
            dry_run?: boolean;
            kind: string;
            /** @description Only this project's events, by id or name. */
            project?: string | null;
            reason?: string;
            spec?: Record<string, unknown>;
        };
        /** @description A window to announce. `components` by slug; none means all. */
        NewMaintenanceBody: {
            components?: string[];
            ends_at: string;
            message?: string;
            name: string;
            starts_at: string;
        };
        /** @description What a project is to be. */
        NewProjectBody: {
            identity?: components["schemas"]["IdentityOptions"] | null;
            /** @description Names that do not make anybody active. */
            inactive_events?: string[] | null;
            /** @description Unique; not only digits. */
            name: string;
            /**
             * Format: double
             * @description Longest pause within a session, in minutes; default 30.
             */
            session_timeout_min?: number | null;
            /** @description IANA zone; default UTC. */
            timezone?: string | null;
            /** @description `monday` (default), `sunday` or `saturday`. */
            week_start?: string | null;
        };
        /** @description A key to make for a project. */
        NewProjectKey: {
            /** @description `write` or `secret`. */
            kind: string;
            /** @description A label for people. */
            name?: string | null;
        };
        /** @description A rule to add, or its next version. */
        NewRuleBody: {
            action: components["schemas"]["RuleActionBody"];
            /** @description False: from this version on it does nothing. Default true. */
            enabled?: boolean;
            name: string;
            /** @description Why, for those who ask later. */
            reason?: string;
        };
        /** @description The instance at a glance. `identity` is null if the books cannot be read; `problems` counts findings by severity. */
        OperationsSummaryBody: {
            /** Format: int64 */
            commit?: number | null;
            components: components["schemas"]["Component"][];
            deleted_projects: components["schemas"]["DeletedProjectBody"][];
            environment: string;
            identity?: components["schemas"]["IdentityBody"] | null;
            jobs: components["schemas"]["JobBody"][];
            /** @description Oldest receive time without an outcome; null if there is none or it is unknown. */
            oldest_unaccounted?: string | null;
            problems: components["schemas"]["ProblemsBody"];
            projects: string[];
            protected: boolean;
            skipped: components["schemas"]["SkippedBody"][];
            /** Format: int64 */
            unacknowledged: number;
            /** @description Parts that did not answer, for people. */
            unknown: string[];
            version: string;
        };
        /**
         * @description What became of one record, who decided it, and by which rule since when. `outcome`: `visible`, `duplicate`,
         *     `filtered`, `dead`, `control`, `hole`, `pending`, `skipped`, `lost`.
         */
        OutcomeBody: {
            /** Format: int64 */
            commit?: number | null;
            decided_at?: string | null;
            /** Format: int32 */
            decisions: number;
            event?: string | null;
            insert_id?: string | null;
            /** @description `live`, `replay`, `reprocess`, … */
            origin?: string | null;
            outcome: string;
            position: string;
            reason?: components["schemas"]["ReasonBody"] | null;
            received_at?: string | null;
            rule?: components["schemas"]["FilteredByBody"] | null;
            /** @description Position of the visible event, for duplicates. */
            witness?: string | null;
        };
        OutcomesBody: {
            outcomes: components["schemas"]["OutcomeBody"][];
        };
        /** @description A person with all ids that belong to them. */
        PersonBody: {
            device_ids: string[];
            /** Format: int64 */
            events: number;
            first_seen?: string | null;
            last_seen?: string | null;
            /** @description How the ids came together; only when one person is asked for. */
            merges?: components["schemas"]["MergeBody"][] | null;
            person: string;
            properties: Record<string, unknown>;
            user_ids: string[];
        };
        PersonsBody: {
            next?: string | null;
            persons: components["schemas"]["PersonBody"][];
        };
        /**
         * @description A rule to try over records that were received in `[from, to)` (default: the last 24 hours), without switching it
         *     on.
         */
        PreviewBody: {
            action: components["schemas"]["RuleActionBody"];
            from?: string | null;
            /**
             * Format: int32
             * @description Instead of adding a rule: replace this one.
             */
            id?: number | null;
            to?: string | null;
            /**
             * Format: int64
             * @description How long to wait for the report, ms; default 10,000, at most 30,000.
             */
            wait_ms?: number | null;
        };
        /** @description The answer to a preview: the job, and its report once it is done. */
        PreviewedBody: {
            job: components["schemas"]["JobBody"];
            /** @description True if `job.report` is complete; else ask for the job later. */
            ready: boolean;
        };
        ProblemsBody: {
            /** Format: int64 */
            critical: number;
            /** Format: int64 */
            info: number;
            /** Format: int64 */
            warning: number;
        };
        /** @description A project. Instants are ISO-8601 with `Z`. */
        ProjectBody: {
            created_at: string;
            id: string;
            name: string;
            /** @description Only in the answer to its creation; it is not shown again. */
            secret_key?: string | null;
            /** @description Further settings such as `identity` and `inactive_events`. */
            settings?: Record<string, unknown>;
            timezone: string;
            week_start: string;
            write_key: string;
        };
        ProjectsBody: {
            projects: components["schemas"]["ProjectBody"][];
        };
        /** @description What one project's queries may take. */
        QueryLimits: {
            /**
             * Format: int32
             * @description Queries that compute at one time.
             * @default null
             */
            queries_max: number | null;
            /**
             * Format: int32
             * @description Memory that one query may hold, in MiB.
             * @default null
             */
            query_memory_mb_max: number | null;
            /**
             * Format: int64
             * @description Rows that one pass of a query may read.
             * @default null
             */
            query_rows_max: number | null;
            /**
             * Format: int32
             * @description Longest time a query may compute, in seconds.
             * @default null
             */
            query_seconds_max: number | null;
        };
        /** @description A range of offsets `[from, to)` of one partition of one lane. */
        RangeBody: {
            /** Format: int64 */
            from: number;
            lane: string;
            /** Format: int32 */
            partition?: number;
            /** Format: int64 */
            to: number;
        };
        RangeEquationBody: {
            balanced: boolean;
            /** Format: int64 */
            control: number;
            /** Format: int64 */
            dead: number;
            /** Format: int64 */
            duplicate: number;
            /** Format: int64 */
            filtered: number;
            /** Format: int64 */
            hole: number;
            /** Format: int64 */
            lost: number;
            /** Format: int64 */
            offsets: number;
            /** Format: int64 */
            pending: number;
            /** Format: int64 */
            skipped: number;
            /** Format: int64 */
            visible: number;
        };
        ReasonBody: {
            code: string;
            message: string;
        };
        /** @description What became of the events of one request. */
        ReceiptBody: {
            durable: boolean;
            outcomes: components["schemas"]["ReceiptOutcomes"];
            /** Format: int64 */
            positions: number;
            /** @description True once nothing is pending. */
            visible: boolean;
        };
        ReceiptOutcomes: {
            /** Format: int64 */
            dead: number;
            /** Format: int64 */
            duplicate: number;
            /** Format: int64 */
            filtered: number;
            /** Format: int64 */
            pending: number;
            /** Format: int64 */
            visible: number;
        };
        /**
         * @description Letters to mend: either one by one, or all with a reason, by a mapping or as they are. A mapping names fields of
         *     the letter (`time`, `properties.price`) with the CEL expression of their new value, which sees the letter's fields
         *     as `row` and those that are numbers as `num`; `null` takes a field out.
         */
        RedriveBody: {
            /** @description Only say what would happen. */
            dry_run?: boolean;
            items?: components["schemas"]["RedriveItem"][];
            /** @description At most this many letters, default 1,000. */
            limit?: number | null;
            mapping?: Record<string, unknown>;
            /** @description Letters that belong to no project (under `/operations`): whose they are from now on, by id or name. */
            project?: string | null;
            /** @description All letters with this reason code, instead of `items`. */
            reason?: string | null;
        };
        /** @description A dead letter to decide again with other bytes. */
        RedriveItem: {
            /** @description The mended event: a JSON value, or its text. Left out: the bytes as they were sent. */
            body?: unknown;
            /** @description `lane/partition@offset`. */
            position: string;
            /** @description Protocol of `body` if it differs from the letter's. */
            wire?: string | null;
        };
        /** @description What became of each letter. `error` says why it was not redriven. */
        RedrivenBody: {
            dry_run: boolean;
            letters: components["schemas"]["RedrivenLetterBody"][];
            /** Format: int64 */
            redriven: number;
            /** Format: int64 */
            refused: number;
        };
        RedrivenLetterBody: {
            body?: string | null;
            error?: string | null;
            /** @description Name of the mended event. */
            event?: string | null;
            position: string;
        };
        /** @description An event that was not taken. */
        RejectedBody: {
            code: string;
            field?: string | null;
            /** Format: int64 */
            index: number;
            message: string;
        };
        /**
         * @description An account that was replaced. `origin`: `replay`, `reprocess`, `live` (a redrive), `compaction` (an erasure),
         *     `repair`; `was` is null where the records had been skipped. Tallies are the project's part.
         */
        RestatementBody: {
            at: string;
            /** Format: int64 */
            commit: number;
            /** Format: int64 */
            from: number;
            /** Format: int64 */
            job?: number | null;
            lane: string;
            now: components["schemas"]["TallyBody"];
            origin: string;
            /** Format: int32 */
            partition: number;
            /** Format: int64 */
            records: number;
            /** Format: int64 */
            to: number;
            was?: components["schemas"]["TallyBody"] | null;
        };
        /**
         * @description What a rule does. `drop`: events with any of these names (all, if none are given) that meet every condition
         *     become `filtered`. `block`: everything from these ids does. `properties`: these are not stored. `settings`: the
         *     project's settings from here on.
         */
        RuleActionBody: {
            /** @description Conditions as in the query API, on event properties. */
            conditions?: Record<string, unknown>[];
            events?: string[];
            /** @enum {string} */
            type: "drop";
        } | {
            devices?: string[];
            /** @enum {string} */
            type: "block";
            users?: string[];
        } | {
            allow?: string[] | null;
            deny?: string[];
            /** @enum {string} */
            type: "properties";
        } | {
            settings: Record<string, unknown>;
            /** @enum {string} */
            type: "settings";
        };
        /**
         * @description A rule as of a version. `state`: `unpublished` (not in the log yet), `published` (in the log), `in_force` (every
         *     shard has passed it). `in_force` lists from which position of which shard on it decides.
         */
        RuleBody: {
            action: components["schemas"]["RuleActionBody"];
            by: string;
            enabled: boolean;
            /** Format: int32 */
            id: number;
            in_force: components["schemas"]["InForceBody"][];
            made_at: string;
            name: string;
            /** @description Why it does nothing although it is in force, if so. */
            problem?: string | null;
            published_at?: string | null;
            reason: string;
            state: string;
            /** Format: int32 */
            version: number;
        };
        RulesBody: {
            rules: components["schemas"]["RuleBody"][];
        };
        /** @description Names that occur in the project's events. */
        SchemaBody: {
            events: components["schemas"]["SchemaEventBody"][];
            properties: components["schemas"]["SchemaPropertyBody"][];
        };
        /** @description `operation`: the name changes identity or properties and is never counted. */
        SchemaEventBody: {
            /** Format: int64 */
            count: number;
            first_seen?: string | null;
            last_seen?: string | null;
            name: string;
            operation: boolean;
        };
        /** @description `scope`: `event` or `user`; `types`: `string`, `number`, `boolean`, `list`. */
        SchemaPropertyBody: {
            /** Format: int64 */
            count: number;
            events: string[];
            examples: unknown[];
            name: string;
            scope: string;
            types: string[];
        };
        /**
         * @description Events of one key within one minute. `key` is null if the key was unknown; `receipts` name positions, as
         *     `GET /api/v1/receipts/{receipt}` takes them.
         */
        SenderBody: {
            /** Format: int64 */
            events: number;
            key?: string | null;
            key_name?: string | null;
            minute: string;
            project?: string | null;
            project_name?: string | null;
            receipts: string[];
            /** Format: int64 */
            requests: number;
            token: string;
            wire: string;
        };
        /** @description Who is logged in. `csrf` goes into the header `x-csrf-token` of writes. */
        SessionBody: {
            csrf?: string | null;
            demo: boolean;
            setup_required: boolean;
            user?: components["schemas"]["UserBody"] | null;
        };
        /** @description The first person, and if wanted the first project. */
        SetUp: {
            /** @description The code printed by the server. */
            code: string;
            email: string;
            name?: string | null;
            /** @description At least 10 characters. */
            password: string;
            project?: components["schemas"]["NewProjectBody"] | null;
        };
        /** @description The session, and what set-up created. */
        SetUpDone: components["schemas"]["SessionBody"] & {
            project?: components["schemas"]["ProjectBody"] | null;
        };
        /**
         * @description The instance's settings. Secrets are write-only: they show as `{"set": true}`, and sending that back leaves them
         *     as they are.
         */
        SettingsBody: {
            /** @description Who is told: `{"channels":[…], "escalate_after_minutes", …}`. */
            alerts: Record<string, unknown>;
            /** @description Where to and how often: `{"to", "every_hours", "rehearse_every_hours", "keep"}`. */
            backup: Record<string, unknown>;
            environment: string;
            protected: boolean;
            /** @description How long the log is kept, and other limits that could forget events. */
            retention: Record<string, unknown>;
            /** @description What the public status page shows. */
            status_page: Record<string, unknown>;
        };
        /**
         * @description Owner of a device that several users share.
         * @enum {string}
         */
        SharedDevice: "last_user" | "first_user";
        /** @description An interval that was passed by on purpose. */
        SkippedBody: {
            by: string;
            /** Format: int64 */
            from: number;
            lane: string;
            /** Format: int32 */
            partition: number;
            reason: string;
            received_from: string;
            received_to: string;
            /** Format: int64 */
            to: number;
        };
        /**
         * @description What one library sends under one key in one protocol over one lane. `state`: `as_usual`, `learning` (not seen for long
         *     enough to know what is usual), `quiet` (no events, which is usual or nobody can tell), `silent`, `less`, `more` (far
         *     less or far more than usual), `import` (ends on purpose), `key_ended`, `not_watched`.
         */
        SourceBody: {
            first_event: string;
            id: string;
            /** @description Name of the key and its first characters. */
            key: string;
            /** @description `live` or `bulk`. */
            lane: string;
            last_event: string;
            /** @description What the library calls itself, if it does. */
            library?: string | null;
            library_version?: string | null;
            /** @description Events of each of the last 60 minutes, oldest first; the last one has not ended. */
            minutes: number[];
            /** @description What is usual at this time on other days, in events per minute: the lower and the higher figure. */
            other_days?: number[] | null;
            protocol: string;
            /**
             * Format: double
             * @description Events per minute in the last five whole minutes.
             */
            rate: number;
            state: string;
            /**
             * Format: double
             * @description Events per minute in the hour before the last half hour, or before the last event.
             */
            usual_rate: number;
            /** @description False: nobody is told if it falls silent. */
            watched: boolean;
        };
        /** @description Who sends what into a project. `watched_at`: when the watch looked last; null if it never did. */
        SourcesBody: {
            sources: components["schemas"]["SourceBody"][];
            watched_at?: string | null;
        };
        StatusBody: {
            /** Format: int64 */
            commit: number;
            components: components["schemas"]["Component"][];
            version: string;
        };
        /** @description `status`: `operational`, `degraded_performance`, `partial_outage`, `major_outage`, `under_maintenance`. */
        StatusComponentBody: {
            description?: string | null;
            group?: boolean | null;
            group_id?: string | null;
            id: string;
            name: string;
            /** Format: int32 */
            position?: number | null;
            status: string;
            updated_at?: string | null;
        };
        StatusComponentsBody: {
            components: components["schemas"]["StatusComponentBody"][];
            page: components["schemas"]["StatusPageBody"];
        };
        /**
         * @description An incident or a maintenance window. `status`: `investigating`, `identified`, `monitoring`, `resolved`,
         *     `postmortem`; `scheduled`, `in_progress`, `verifying`, `completed`.
         */
        StatusIncidentBody: {
            components: components["schemas"]["StatusComponentBody"][];
            created_at: string;
            id: string;
            impact: string;
            incident_updates: components["schemas"]["StatusUpdateBody"][];
            monitoring_at?: string | null;
            name: string;
            resolved_at?: string | null;
            scheduled_for?: string | null;
            scheduled_until?: string | null;
            shortlink?: string | null;
            started_at?: string | null;
            status: string;
            updated_at?: string | null;
        };
        StatusIncidentsBody: {
            incidents: components["schemas"]["StatusIncidentBody"][];
            page: components["schemas"]["StatusPageBody"];
        };
        /** @description `indicator`: `none`, `minor`, `major`, `critical`, `maintenance`. */
        StatusIndicatorBody: {
            description: string;
            indicator: string;
        };
        StatusMaintenancesBody: {
            page: components["schemas"]["StatusPageBody"];
            scheduled_maintenances: components["schemas"]["StatusIncidentBody"][];
        };
        StatusOnlyBody: {
            page: components["schemas"]["StatusPageBody"];
            status: components["schemas"]["StatusIndicatorBody"];
        };
        /** @description The public status page in the shape of Statuspage v2. */
        StatusPageBody: {
            id: string;
            name: string;
            time_zone: string;
            updated_at: string;
            url: string;
        };
        StatusSummaryBody: {
            components: components["schemas"]["StatusComponentBody"][];
            incidents: components["schemas"]["StatusIncidentBody"][];
            page: components["schemas"]["StatusPageBody"];
            scheduled_maintenances: components["schemas"]["StatusIncidentBody"][];
            status: components["schemas"]["StatusIndicatorBody"];
        };
        StatusUpdateBody: {
            body: string;
            created_at: string;
            display_at?: string | null;
            id: string;
            status: string;
            updated_at?: string | null;
        };
        /** @description Records by outcome. */
        TallyBody: {
            /** Format: int64 */
            control: number;
            /** Format: int64 */
            dead: number;
            /** Format: int64 */
            duplicate: number;
            /** Format: int64 */
            filtered: number;
            /** Format: int64 */
            hole: number;
            /** Format: int64 */
            visible: number;
        };
        UserBody: {
            email: string;
            name: string;
        };
        /** @description Whether anybody wants to be told about a source. */
        WatchSourceBody: {
            watched: boolean;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;

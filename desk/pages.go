package desk

import "net/http"

// Pages serves the browser.
func (s *Server) Pages() http.Handler { return http.NotFoundHandler() }
